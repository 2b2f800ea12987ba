"""The text of a rule-based answer."""

from collections.abc import Sequence

from app.agent.model import Prompt
from app.agent.rules.question import Question
from app.agent.rules.topics import TOPICS, Topic
from app.agent.rules.wording import bullets, section
from app.agent.tools.calls import ToolOutcome

_WHAT_I_AM = (
    "_This is the rule-based responder: no language model is configured, so the answer is put "
    "together by fixed rules from the tools' figures._"
)
_NOT_UNDERSTOOD = "I cannot map this question to one of my tools. I can tell about:"
_FROM_DOCUMENTS = "The knowledge base says:"
_LONGEST_PASSAGE = 1_200


def answer_text(question: Question, topics: Sequence[Topic], prompt: Prompt) -> str:
    """What the tools said, or what can be asked; and what the answer rests on."""
    told = [part for topic in topics for part in _told(topic, question, prompt)]
    parts = [*told, _see_also(prompt)] if told else _without_figures(question, prompt)
    return "\n\n".join([*(part for part in parts if part), _WHAT_I_AM])


def _told(topic: Topic, question: Question, prompt: Prompt) -> list[str]:
    outcomes = [outcome for outcome in prompt.outcomes if outcome.call.name == topic.tool]
    if not outcomes and topic.subject == "portfolio":
        return [section(topic.can.capitalize(), "You have no portfolio that this could be about.")]
    return [_tell(topic, outcome, question, _names(prompt)) for outcome in outcomes]


def _tell(topic: Topic, outcome: ToolOutcome, question: Question, names: dict[str, str]) -> str:
    of = names.get(str(outcome.call.arguments.get("portfolio_id")))
    heading = f"### {of}\n\n" if of and len(names) > 1 else ""
    if error := outcome.envelope.get("error"):
        said = section(topic.can.capitalize(), f"This could not be read: {error['message']}.")
    else:
        said = topic.tell(outcome.data, question)
    return heading + said


def _names(prompt: Prompt) -> dict[str, str]:
    listed = [each.data for each in prompt.outcomes if each.call.name == "list_user_portfolios"]
    return {each["id"]: each["name"] for data in listed if data for each in data["portfolios"]}


def _without_figures(question: Question, prompt: Prompt) -> list[str]:
    passages = [
        section(each.title, each.content[:_LONGEST_PASSAGE]) for each in prompt.grounding.documents
    ]
    able = f"{_NOT_UNDERSTOOD}\n\n{bullets(topic.can for topic in TOPICS)}"
    if question.defines and passages:
        return [_FROM_DOCUMENTS, *passages]
    return [able, *([_FROM_DOCUMENTS, *passages] if passages else [])]


def _see_also(prompt: Prompt) -> str:
    titles = "; ".join(each.title for each in prompt.grounding.documents)
    return f"In the knowledge base: {titles}." if titles else ""
