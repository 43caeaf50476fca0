"""What a tag has to say of its neighbours: the distribution of each word's tag over all sequences of tags."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xlkd.errors import UserError
from xlkd.text.tag_scheme import OUTSIDE, follows
from xlkd.text.words import BEGINS_TEXT, ENDS_TEXT, FOLLOWS_WORD

NEVER = -1e4
"""The logarithm of what cannot be; not minus infinity, of which two less each other are not a number, and not so much
that nothing is left of a number that is added to it."""

MOST_CONTRADICTIONS = 0.01
"""The share of labelled neighbours that may contradict one another by mistake; more are of another scheme."""


def check_scheme(labels: Sequence[str], transitions: Tensor) -> None:
    """Refuse labelled text whose tags follow one another as valid sequences never do: it has another scheme.

    Args:
        labels (`Sequence[str]`): The tags, in the order of ids.
        transitions (`torch.Tensor` of shape `(classes + 1, classes + 1)`): As for [`TagSequences`].

    Raises:
        [`UserError`]: If more than one in a hundred contradicts the one before.
    """
    contradictions = transitions * ~_valid(labels)
    wrong, total = int(contradictions.sum()), int(transitions.sum())
    if wrong > MOST_CONTRADICTIONS * total:
        around = [*labels, "the edge of a text"]
        before, behind = divmod(int(contradictions.argmax()), len(around))
        raise UserError(
            f"soft-label: posterior sequence: {wrong} of {total} labelled neighbours contradict one another,"
            f" {around[behind]} behind {around[before]} most often: it takes the labels for IOB2, IOBES, BILOU or BMES,"
            " in which every span begins with a tag of its own (B-PER). Write them so, or leave `posterior` out."
        )


class TagSequences(nn.Module):
    r"""Marginals of the tags of words over the valid sequences, from distributions that know nothing of one another.

    A tagger gives each word its own distribution over the tags, \\(p_t\\), and may contradict itself: `I-LOC` after
    `B-PER`. Over all sequences \\(y\\) in which every tag may follow the one before (\\(V\\)), each as likely as the
    tagger and the transitions \\(a\\) make it, the probability that word \\(t\\) has the tag \\(c\\) is

    $$ q_t(c) = \frac{\sum_{y \in V, y_t = c} w(y)}{\sum_{y \in V} w(y)}, \qquad
       w(y) = \prod_s p_s(y_s) \prod_s a(y_s, y_{s + 1})^\lambda $$

    by the forward-backward algorithm. Before the first word of a text and after its last there is one more tag, the
    edge of the text, which no span crosses. Where \\(d\\) follows \\(c\\) \\(n_{cd}\\) times, and \\(V(c)\\) are the
    tags that may follow \\(c\\),

    $$ a(c, d) = \frac{n_{cd} + 1/2}{\sum_{e \in V(c)} (n_{ce} + 1/2)} $$

    Two words with other words missing between them do not constrain one another, and the edges of a text constrain only
    its first and last words.

    Args:
        labels (`Sequence[str]`): The tags, in the order of ids.
        transitions (`torch.Tensor` of shape `(classes + 1, classes + 1)`, *optional*): How many times each tag
            followed each other one in labelled text, as `transitions[before, behind]`; the last is the edge.
        weight (`float`, *optional*, defaults to 0.0): \\(\lambda\\), their weight; with 0 all valid transitions are
            alike.

    Example:

    ```python
    >>> sequences = TagSequences(["O", "B-X", "I-X"])
    >>> words = torch.tensor([[[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]]).log()
    >>> sequences(words, torch.tensor([[BEGINS_TEXT, FOLLOWS_WORD]])).exp()
    tensor([[[0.6154, 0.3846, 0.0000],
             [0.3462, 0.3462, 0.3077]]])
    ```
    """

    scores: Tensor

    def __init__(self, labels: Sequence[str], transitions: Tensor | None = None, weight: float = 0.0) -> None:
        super().__init__()
        valid = _valid(labels)
        scores = torch.zeros(valid.shape)
        if transitions is not None:
            counts = (transitions.float() + 0.5) * valid
            scores = weight * (counts / counts.sum(dim=1, keepdim=True)).log()
        self.register_buffer("scores", scores.masked_fill(~valid, NEVER), persistent=False)

    def forward(self, log_probabilities: Tensor, context: Tensor) -> Tensor:
        """The marginals.

        Args:
            log_probabilities (`torch.Tensor` of shape `(batch, words, classes)`): Of the tags of each word, finite.
            context (`torch.Tensor` of shape `(batch, words)`): What stands around the words, as
                [`~text.words.context_of`] says it.

        Returns:
            `torch.Tensor` of shape `(batch, words, classes)`: Log probabilities.
        """
        words = log_probabilities.shape[1]
        if not words:
            return log_probabilities
        scores = self.scores.to(log_probabilities.dtype)
        begins, behind, ends = ((context & kind).gt(0).unsqueeze(-1) for kind in (BEGINS_TEXT, FOLLOWS_WORD, ENDS_TEXT))
        own = log_probabilities + begins * scores[-1, :-1] + ends * scores[:-1, -1]
        steps = scores[:-1, :-1] * behind[:, 1:].unsqueeze(-1)
        before, after = [torch.zeros_like(own[:, 0])], [torch.zeros_like(own[:, 0])]
        for place in range(words - 1):
            so_far = before[-1] + own[:, place]
            before.append((so_far.unsqueeze(-1) + steps[:, place]).logsumexp(1))
        for place in reversed(range(words - 1)):
            to_come = after[-1] + own[:, place + 1]
            after.append((to_come.unsqueeze(1) + steps[:, place]).logsumexp(2))
        joint = torch.stack(before, dim=1) + own + torch.stack(after[::-1], dim=1)
        return joint.log_softmax(-1)


def _valid(labels: Sequence[str]) -> Tensor:
    """Which tag may stand behind which; the edge of a text, the last, is as good as a word that is outside."""
    return torch.tensor(follows([*labels, OUTSIDE]))
