"""The 1,000 classes of ImageNet's challenge as people speak of them: breeds and makes go under their common name.

Numbers are those of the challenge (ILSVRC 2012, in the order of its synset identifiers).
"""

from __future__ import annotations

CLASSES = 1000

# Name, then its classes: numbers and ranges, both ends included.
_TABLE = """
fish 0 389-391 394-395; goldfish 1; shark 2-4; stingray 5-6; rooster 7; chicken 8; ostrich 9;
bird 10-20 80-83 85-86 91-95 127-129 131-143; eagle 21-22; vulture 23; owl 24; salamander 25-29; frog 30-32;
turtle 33-37; lizard 38-48; crocodile 49-50; dinosaur 51; snake 52-68; fossil 69; spider 70 72-77; scorpion 71;
tick 78; centipede 79; peacock 84; parrot 87-90; toucan 96; duck 97-98; goose 99; swan 100; elephant 101 385-386;
anteater 102; platypus 103; kangaroo 104; koala 105; wombat 106; jellyfish 107; sea anemone 108; coral 109 973;
worm 110-111; shell 112 116-117; snail 113; slug 114-115; crab 118-121 125; lobster 122-124; flamingo 130;
pelican 144; penguin 145; albatross 146; whale 147-148; seal 149-150; dog 151-268 273-275; wolf 269-272; hyena 276;
fox 277-280; cat 281-285; cougar 286; lynx 287; leopard 288-290 293; lion 291; tiger 292; bear 294-295 297;
polar bear 296; mongoose 298-299; beetle 300 302-307; ladybug 301; fly 308; bee 309; ant 310; grasshopper 311-312;
insect 126 313-318; dragonfly 319-320; butterfly 321-326; starfish 327; sea urchin 328-329; rabbit 330-332;
hamster 333 338; porcupine 334; squirrel 335; marmot 336; beaver 337; horse 339; zebra 340; pig 341-343;
hippopotamus 344; cow 345; buffalo 346-347; sheep 348-349; goat 350; antelope 351-353; camel 354; llama 355;
weasel 356-359; otter 360; skunk 361; badger 362; armadillo 363; sloth 364; orangutan 365; gorilla 366;
chimpanzee 367; monkey 368-384; red panda 387; panda 388; tropical fish 392-393 396-397; abacus 398; robe 399;
gown 400 578; accordion 401; guitar 402 420 546; ship 403 510 628; airplane 404 726 895 908; airship 405;
altar 406; ambulance 407; amphibious vehicle 408; clock 409 530 892; beehive 410; apron 411; trash can 412;
rifle 413 764; backpack 414; bakery 415; gym equipment 416 602 702; balloon 417; pen 418 563; bandage 419;
railing 421; barbell 422 543; barber chair 423; barbershop 424; barn 425; barometer 426; barrel 427 756;
wheelbarrow 428; baseball 429; basketball 430; bassinet 431; bassoon 432; swimming cap 433; towel 434;
bathtub 435 876; station wagon 436; lighthouse 437; beaker 438; fur hat 439; beer bottle 440; glass of beer 441;
bell tower 442; bib 443; tandem bicycle 444; bikini 445; binder 446; binoculars 447; birdhouse 448; boathouse 449;
sled 450 537; tie 451 906; bonnet 452; bookcase 453; bookshop 454; bottle cap 455; bow 456; bow tie 457;
plaque 458; bra 459; breakwater 460; armour 461 490 524; broom 462; bucket 463; buckle 464; bulletproof vest 465;
train 466 547 565 705 820; butcher shop 467; taxi 468; cauldron 469; candle 470; cannon 471; canoe 472;
can opener 473; cardigan 474; car mirror 475; carousel 476; tool kit 477; box 478; car wheel 479; cash machine 480;
cassette 481; cassette player 482 848; castle 483; sailboat 484 780 871 914; CD player 485; cello 486;
cell phone 487 590; chain 488; chain-link fence 489; chainsaw 491; chest 492; chest of drawers 493; wind chime 494;
china cabinet 495; Christmas stocking 496; church 497; cinema 498; cleaver 499; cliff dwelling 500; cloak 501;
clogs 502; cocktail shaker 503; mug 504; coffee pot 505; coil 506; padlock 507 695; keyboard 508 810 878;
candy shop 509; convertible 511; corkscrew 512; cornet 513; cowboy boot 514; cowboy hat 515; cradle 516; crane 517;
helmet 518 560 715; crate 519; crib 520; slow cooker 521; croquet ball 522; crutch 523; dam 525; desk 526;
computer 527; telephone 528 707; diaper 529; watch 531; dining table 532; dishcloth 533; dishwasher 534;
disc brake 535; dock 536; dome 538; doormat 539; oil platform 540; drum 541 822; drumstick 542; pot 544 738;
fan 545; entertainment centre 548; envelope 549; espresso machine 550; face powder 551; feather boa 552;
filing cabinet 553; fire boat 554; fire truck 555; fire screen 556; flagpole 557; flute 558; folding chair 559;
forklift 561; fountain 562; four-poster bed 564; French horn 566; frying pan 567; fur coat 568; garbage truck 569;
gas mask 570; gas pump 571; goblet 572; go-kart 573; golf ball 574; golf cart 575; gondola 576; gong 577;
piano 579 881; greenhouse 580; car grille 581; grocery store 582; guillotine 583; hair clip 584; hair spray 585;
tank 586 847; hammer 587; hamper 588; hair dryer 589; handkerchief 591; hard disk 592; harmonica 593; harp 594;
harvester 595 856; hatchet 596; holster 597; home theatre 598; honeycomb 599; hook 600; hoop skirt 601;
horse cart 603; hourglass 604; music player 605; iron 606; jack-o'-lantern 607; jeans 608; jeep 609; jersey 610;
jigsaw puzzle 611; rickshaw 612; joystick 613; kimono 614; knee pad 615; knot 616; lab coat 617; ladle 618;
lampshade 619; laptop 620 681; lawn mower 621; lens cap 622; letter opener 623; library 624; lifeboat 625;
lighter 626; limousine 627; lipstick 629; shoe 630 770; lotion 631; loudspeaker 632; magnifying glass 633;
lumber mill 634; compass 635; mailbag 636; mailbox 637; swimsuit 638-639; manhole cover 640; maraca 641;
marimba 642; mask 643; match 644; maypole 645; maze 646; measuring cup 647; medicine cabinet 648;
standing stone 649; microphone 650; microwave 651; military uniform 652; milk can 653; minibus 654; miniskirt 655;
van 656 675 734; rocket 657 744; mitten 658; bowl 659 809; mobile home 660; vintage car 661; modem 662;
monastery 663; monitor 664 782; motorcycle 665 670; mortar 666; graduation cap 667; mosque 668; mosquito net 669;
mountain bike 671; tent 672; computer mouse 673; mousetrap 674; muzzle 676; nail 677; neck brace 678; necklace 679;
pacifier 680; obelisk 682; oboe 683; ocarina 684; odometer 685; oil filter 686; organ 687; oscilloscope 688;
skirt 689; ox cart 690; oxygen mask 691; packet 692; paddle 693; paddle wheel 694; paintbrush 696; pyjamas 697;
palace 698; pan flute 699; paper towel 700; parachute 701; bench 703; parking meter 704; patio 706; pedestal 708;
pencil box 709; pencil sharpener 710; perfume 711; dish 712; photocopier 713; pick 714; picket fence 716;
pickup truck 717; pier 718; piggy bank 719; pill bottle 720; pillow 721; table tennis ball 722; pinwheel 723;
pirate ship 724; pitcher 725 899; planetarium 727; plastic bag 728; plate rack 729; plough 730; plunger 731;
camera 732 759; pole 733; poncho 735; pool table 736; bottle 737 898; pottery wheel 739; power drill 740; rug 741;
printer 742; prison 743; projector 745; hockey puck 746; punching bag 747; purse 748; quill 749; quilt 750;
racing car 751; racket 752; radiator 753; radio 754; radio telescope 755; camper van 757; fishing reel 758;
refrigerator 760; remote control 761; restaurant 762; revolver 763; rocking chair 765; rotisserie 766; eraser 767;
rugby ball 768; ruler 769; safe 771; safety pin 772; salt shaker 773; sandals 774; sarong 775; saxophone 776;
scabbard 777; scale 778; school bus 779; scoreboard 781; screw 783; screwdriver 784; seat belt 785;
sewing machine 786; shield 787; shoe shop 788; paper screen 789; shopping basket 790; shopping cart 791;
shovel 792; shower cap 793; shower curtain 794; skis 795; ski mask 796; sleeping bag 797; slide rule 798;
sliding door 799; slot machine 800; snorkel 801; snowmobile 802; snow plough 803; soap dispenser 804; football 805;
sock 806; solar dish 807; sombrero 808; heater 811; space shuttle 812; spatula 813; speedboat 814; spider web 815;
spindle 816; sports car 817; spotlight 818; stage 819; bridge 821 839 888; stethoscope 823; stole 824;
stone wall 825; stopwatch 826; stove 827; strainer 828; tram 829; stretcher 830; couch 831; stupa 832;
submarine 833; suit 834; sundial 835; sunglasses 836-837; sunscreen 838; cotton swab 840; sweatshirt 841;
swimming trunks 842; swing 843; switch 844; syringe 845; lamp 846; teapot 849; teddy bear 850; television 851;
tennis ball 852; thatched roof 853; curtain 854; thimble 855; throne 857; tiled roof 858; toaster 859;
tobacco shop 860; toilet 861; torch 862; totem pole 863; tow truck 864; toy shop 865; tractor 866; truck 867;
tray 868; trench coat 869; tricycle 870; tripod 872; triumphal arch 873; bus 874; trombone 875; turnstile 877;
umbrella 879; unicycle 880; vacuum cleaner 882; vase 883; vault 884; velvet 885; vending machine 886; vestment 887;
violin 889; volleyball 890; waffle iron 891; wallet 893; wardrobe 894; sink 896; washing machine 897;
water tower 900; jug 901; whistle 902; wig 903; window screen 904; window blind 905; wine bottle 907; wok 909;
wooden spoon 910; wool 911; wooden fence 912; shipwreck 913; yurt 915; website 916; comic book 917; crossword 918;
street sign 919; traffic light 920; book 921; menu 922; plate 923; guacamole 924; soup 925-926; trifle 927;
ice cream 928; ice lolly 929; bread 930; bagel 931; pretzel 932; burger 933; hot dog 934; mashed potato 935;
cabbage 936; broccoli 937; cauliflower 938; courgette 939; squash 940-942; cucumber 943; artichoke 944;
bell pepper 945; cardoon 946; mushroom 947 991-997; apple 948; strawberry 949; orange 950; lemon 951; fig 952;
pineapple 953; banana 954; jackfruit 955; custard apple 956; pomegranate 957; hay 958; pasta 959;
chocolate sauce 960; dough 961; meat loaf 962; pizza 963; pie 964; burrito 965; red wine 966; espresso 967;
cup 968; eggnog 969; mountain 970 980; bubble 971; cliff 972; geyser 974; lake 975; headland 976; sandbar 977;
seashore 978; valley 979; baseball player 981; bridegroom 982; diver 983; rapeseed field 984; daisy 985;
orchid 986; corn 987 998; acorn 988; rose hip 989; chestnut 990; toilet paper 999
"""


def spoken_names() -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Each name with its classes, ordered by name; together they are all classes, once each."""
    found = []
    for entry in _TABLE.replace("\n", ";").split(";"):
        words = entry.split()
        if not words:
            continue
        first = next(number for number, word in enumerate(words) if word[0].isdigit())
        classes: list[int] = []
        for word in words[first:]:
            start, _, stop = word.partition("-")
            classes += range(int(start), int(stop or start) + 1)
        found.append((" ".join(words[:first]), tuple(classes)))
    return tuple(sorted(found))
