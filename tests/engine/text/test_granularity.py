from engine.text.grammar import parse
from engine.text.granularity import Child, bare_name, children


def test_persons_and_objects_are_asked_about_largest_first() -> None:
    answer = parse(
        "<p> the sky </p> [SEG], <p> A red bus </p> [SEG], <p> two people </p> [SEG] [SEG] and <p> a cup </p>."
    )
    assert children(answer, [0.5, 0.1, 0.2, 0.3], limit=4) == [Child("the people", 2), Child("the red bus", 1)]


def test_tiny_and_repeated_things_and_the_limit() -> None:
    answer = parse("<p> a dog </p> [SEG] <p> the dog </p> [SEG] <p> a cat </p> [SEG] <p> a bee </p> [SEG]")
    areas = [0.1, 0.3, 0.2, 0.0001]
    assert children(answer, areas, limit=4) == [Child("the dog", 1), Child("the cat", 2)]
    assert children(answer, areas, limit=1) == [Child("the dog", 1)]
    assert children(answer, areas, limit=0) == []


def test_bare_names() -> None:
    assert bare_name("Two brown dogs") == "brown dogs"
    assert bare_name("A person") == "person"
    assert bare_name("TV") == "TV"
    assert bare_name("the") == "the"
