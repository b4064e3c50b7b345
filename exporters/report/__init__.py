"""A page to look at answers in: a folder that opens in a browser from the disk, without a server and without a network.

entries.py   which photographs, and what each run said of them
pictures.py  a photograph as it is shown, large and as a thumbnail, and its masks in that frame
forms.py     an entry as the page reads it
shards.py    the `.js` files that carry this: a page from a disk may load scripts, but not JSON
writer.py    all of it into a folder
verdicts.py  what people marked in the page, read back
page/        the page itself, plain scripts without a framework: what it needs is a virtual list, a canvas and
             `textContent`, and nothing has to be built, fetched or licensed

"""
