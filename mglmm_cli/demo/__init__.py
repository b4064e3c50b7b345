"""`mglmm demo`: a page in which one photograph is looked at, and asked about.

command.py   the command: which models, which address
asking.py    the models, and what is put to them
page.py      what is seen, by Gradio

"""
