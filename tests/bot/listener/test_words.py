"""Every sentence in both languages, with the same arguments; plurals; limits of what Telegram shows."""

import re
from pathlib import Path

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

from bot.domain import Refusal, RequestRefused, Stage
from bot.services.menu import GROUP, PRIVATE
from bot.texts import LOCALES_DIR, Caption, Html, Texts, build_core
from inference.errors import Rejection

BOT = LOCALES_DIR.parent


class _Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:
        self.names.add(node.id.name)


def messages(locale: str) -> dict[str, set[str]]:
    """Key -> names of its variables, over all rooms' files."""
    found: dict[str, set[str]] = {}
    for path in sorted((LOCALES_DIR / locale).glob("*.ftl")):
        for entry in FluentParser().parse(path.read_text("utf-8")).body:
            assert not isinstance(entry, ast.Junk), f"{path.name}: {entry.content}"
            if isinstance(entry, ast.Message):
                assert entry.id.name not in found, f"{entry.id.name} is there twice"
                variables = _Variables()
                variables.visit(entry)
                found[entry.id.name] = variables.names
    return found


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(build_core())


def test_both_languages_have_the_same_keys_with_the_same_variables() -> None:
    assert messages("en") == messages("ru")


def test_both_languages_have_the_same_files() -> None:
    assert {p.name for p in (LOCALES_DIR / "en").iterdir()} == {
        p.name for p in (LOCALES_DIR / "ru").iterdir()
    }


def test_every_key_named_in_the_code_exists() -> None:
    known = set(messages("en"))
    named: set[str] = set()
    for path in set(BOT.rglob("*.py")) - {BOT / "__init__.py"}:  # which explains, with made-up keys
        named |= set(re.findall(r'i18n\.get\(\s*"([a-z0-9-]+)"', path.read_text("utf-8")))
        named |= set(re.findall(r'texts\.get\(\s*[\w.]+,\s*"([a-z0-9-]+)"', path.read_text("utf-8")))
        named |= set(re.findall(r'Outcome\(\s*"([a-z0-9-]+)"', path.read_text("utf-8")))
    assert len(named) > 20
    assert named <= known


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_every_error_family_has_a_sentence(texts: Texts, locale: str) -> None:
    args = {"limit_mb": 20, "limit_min": 180, "limit": 20}
    sentences = [texts.rejected(locale, code) for code in (*Rejection, "too_slow")]
    sentences += [texts.refused(locale, RequestRefused(code, args)) for code in Refusal]
    sentences += [texts.apology(locale, "abc123")]
    assert all(sentence.endswith(".") and len(sentence) > 30 for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
    for stage in Stage:
        assert texts.status(locale, stage, place=2, others=1)


@pytest.mark.parametrize(
    ("locale", "n", "expected"),
    [
        ("en", 1, "Added: the first track of your mix. Add more, then /playlist."),
        ("en", 21, "Added: 21 tracks wait. /playlist makes the mix."),
        ("ru", 1, "Добавлено: это первый трек вашего микса. Добавьте ещё, потом /playlist."),
        ("ru", 3, "Добавлено: ждут 3 трека. /playlist соберёт микс."),
        ("ru", 11, "Добавлено: ждут 11 треков. /playlist соберёт микс."),
        ("ru", 21, "Добавлено: ждёт 21 трек. /playlist соберёт микс."),
        ("ru", 22, "Добавлено: ждут 22 трека. /playlist соберёт микс."),
    ],
)
def test_plurals(texts: Texts, locale: str, n: int, expected: str) -> None:
    assert texts.get(locale, "added-to-mix", n=n) == expected


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_what_telegram_shows_fits(texts: Texts, locale: str) -> None:
    assert len(texts.get(locale, "bot-description")) <= 512
    assert len(texts.get(locale, "bot-short-description")) <= 120
    assert all(len(texts.get(locale, f"command-{name}")) <= 256 for name in {*PRIVATE, *GROUP})
    notices = [key for key, names in messages(locale).items() if names <= {"n", "length"}]
    shown_on_presses = {*notices} & {
        *("cutting-again", "making-mp3", "drawing-curve", "already-there", "liked", "disliked", "unrated"),
        *("answer-forgotten", "answer-not-yours", "keyboard-not-yours", "saved", "slow-down"),
    }
    assert len(shown_on_presses) == 12
    assert all(len(texts.get(locale, key)) <= 200 for key in shown_on_presses)


@pytest.mark.parametrize(("tempo_bpm", "facts"), [(128.2, 2), (None, 1)])
@pytest.mark.parametrize("locale", ["en", "ru"])
def test_an_unknown_tempo_is_left_out(texts: Texts, locale: str, tempo_bpm: float | None, facts: int) -> None:
    caption = texts.caption(locale, Caption("Song", 62.0, 92.0, tempo_bpm, None, 0.8))
    line = caption.splitlines()[1].split(" · ")
    assert len(line) == facts
    assert line[0] == "1:02–1:32"
    assert line[1:] in ([], ["128 BPM"], ["128 уд/мин"])


def test_arguments_are_escaped_and_markup_is_not(texts: Texts) -> None:
    assert texts.get("en", "list-line", text="<b>&") == "• &lt;b&gt;&amp;"
    assert texts.get("en", "list-line", text=Html("<b>x</b>")) == "• <b>x</b>"


def test_an_erased_table_without_words_of_its_own_is_counted(texts: Texts) -> None:
    told = texts.erased("en", {"answers": 2, "some_new_table": 3})
    assert "• 2 highlights" in told
    assert "• 3 other records" in told


def test_locales_are_packaged() -> None:
    assert (Path(BOT) / "locales" / "ru" / "listener.ftl").is_file()
