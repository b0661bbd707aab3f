"""A model card as one HTML file: its pictures inside, and nothing that people typed run as HTML."""

from fraud_platform.registry.card_page import card_page


def test_tables_and_pictures_stand_in_the_page():
    page = card_page(
        "fraud_detector 1.0.0", "# Card\n\n| figure | value |\n| --- | --- |\n| F1 | 0.8 |\n", {"roc": "AAAA"}
    )
    assert "<td>0.8</td>" in page
    assert '<img alt="roc" src="data:image/png;base64,AAAA">' in page
    assert "http" not in page


def test_what_people_typed_is_text():
    page = card_page("<x>", "approved by <script>alert(1)</script>", {'"><script>': "AAAA"})
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_without_pictures_there_is_no_chapter_of_them():
    assert "Pictures" not in card_page("card", "text", {})
