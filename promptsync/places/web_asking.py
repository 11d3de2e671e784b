"""Asking a web server about many addresses, some at once.

Owns what is made of answers that are none: where others are answered it is the one address's, else the server's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from promptsync.errors import ConfigError, FileUnavailable, InputRefused, PromptsyncError, Unavailable
from promptsync.places.place import Item, Pass, PassedOver

AGAIN: Final = 1.0
"""Seconds until something is asked a second time."""
_AT_ONCE: Final = 8
Question = Callable[[], Awaitable[Item | None]]


async def ask_each(questions: Mapping[str, Question], passed: Pass) -> list[Item]:
    """What exists, by key, in the questions' order. Raises Unavailable or ConfigError if no question is answered.

    A question that fails though others are answered is asked once more, if that may help, and then passed over.
    """
    answers = await _round(questions, give_up=_AT_ONCE)
    failed = {key: answer for key, answer in answers.items() if isinstance(answer, PromptsyncError)}
    whole = [error for error in failed.values() if _of_server(error)]
    if whole and len(whole) == len(answers):
        raise next((error for error in whole if isinstance(error, Unavailable)), whole[0])
    again = {key: ask for key, ask in questions.items() if key not in answers or _may_help(answers[key])}
    if again:
        await asyncio.sleep(AGAIN)
        answers |= await _round(again, give_up=len(again))
    for key, answer in answers.items():
        if isinstance(answer, PromptsyncError):
            passed(PassedOver(key, f"it cannot be asked for: {answer}"))
    return [answers[key] for key in questions if isinstance(answers[key], Item)]  # type: ignore[misc]


def _may_help(answer: Item | PromptsyncError | None) -> bool:
    return isinstance(answer, PromptsyncError) and answer.retryable


def _of_server(error: PromptsyncError) -> bool:
    """Whether an error, met alone, would be taken for the server's."""
    return isinstance(error, Unavailable | ConfigError) and not isinstance(error, FileUnavailable)


async def _round(questions: Mapping[str, Question], give_up: int) -> dict[str, Item | PromptsyncError | None]:
    """Every answer, by key. After ``give_up`` of the server's errors and nothing else, nobody else is asked."""
    gate, answers = asyncio.Semaphore(_AT_ONCE), dict[str, Item | PromptsyncError | None]()

    async def one(key: str, question: Question) -> None:
        async with gate:
            said = answers.values()
            if len(said) >= give_up and all(isinstance(a, PromptsyncError) and _of_server(a) for a in said):
                return
            try:
                answers[key] = await question()
            except (InputRefused, ConfigError, Unavailable) as error:
                answers[key] = error

    tasks = [asyncio.create_task(one(*asked)) for asked in questions.items()]
    try:
        await asyncio.gather(*tasks)
    finally:  # nothing is left to do where all were answered
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return answers
