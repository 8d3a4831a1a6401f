"""What keeps an edit to the input: its way through the noise, which is known exactly.

Each function here takes what an edit predicts at every step and returns what to predict instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from imagic_lora.editing.guidance import Predictor
from imagic_lora.objective import Objective

AtTime = Callable[[torch.Tensor], torch.Tensor]
"""From times t (B,), all the same, to what is known of them, shape (B, C, h, w)."""


@dataclass(frozen=True)
class Trajectory:
    """The input at every noise level: where a perfect reconstruction would go.

    Attributes:
        objective: The model's noise schedule.
        latents: Latents of the input, shape (B, C, h, w).
        noise: The noise at each time, the same throughout or another at each.
    """

    objective: Objective
    latents: torch.Tensor
    noise: AtTime

    def at(self, t: torch.Tensor) -> torch.Tensor:
        """Return the input noised to times t, shape (B, C, h, w)."""
        return self.objective.add_noise(self.latents, self.noise(t), t)

    def prediction(self, t: torch.Tensor) -> torch.Tensor:
        """Return what a perfect model predicts there, shape (B, C, h, w)."""
        return self.objective.target(self.latents, self.noise(t), t)


def once(find: AtTime) -> AtTime:
    """Return a function that finds what belongs to a time when it is first asked for, and keeps it."""
    known: dict[float, torch.Tensor] = {}

    def found(t: torch.Tensor) -> torch.Tensor:
        level = t[0].item()  # all rows are at the same time
        if level not in known:
            known[level] = find(t)
        return known[level]

    return found


def missed(
    reconstruction: Predictor, trajectory: Trajectory, times: Sequence[float], together: int
) -> AtTime:
    """Return a function that tells what a reconstruction misses of the input at a time.

    The noise is chosen by us, so it is known at every step, not estimated, and the same for every
    edit along the trajectory: it is found once for each time, that of neighbours in one batch.

    Args:
        reconstruction: What is predicted at alpha 0.
        trajectory: Where the input lies at each noise level.
        times: Every time that is asked for, in order.
        together: How many of them make a batch.
    """
    levels = list(dict.fromkeys(times))  # some samplers come to a time twice

    @once
    def batch(first: torch.Tensor) -> torch.Tensor:
        place = levels.index(first[0].item())
        coming = [torch.full_like(first, time) for time in levels[place : place + together]]
        noised = torch.cat([trajectory.at(t) for t in coming])
        exact = torch.cat([trajectory.prediction(t) for t in coming])
        return torch.stack((exact - reconstruction(noised, torch.cat(coming))).chunk(len(coming)))

    def found(t: torch.Tensor) -> torch.Tensor:
        place = levels.index(t[0].item())  # all rows are at the same time
        first = place - place % together
        return batch(torch.full_like(t, levels[first]))[place - first]

    return found


def renewed(predictor: Predictor, begun: Trajectory, afresh: Trajectory) -> Predictor:
    """Predict at each step in a noise of its own, in place of the one that denoising began with.

    What one noise suggests by chance, an edit would follow in all of its steps, as it follows what
    its prompt asks for. In noises that have nothing in common chance does not add up; it takes as
    many passes.

    Args:
        predictor: The edit.
        begun: Where the input lies in the noise that denoising began with.
        afresh: Where it lies in a noise of each time's own.

    Source: Kulikov et al. 2024 (FlowEdit), arXiv 2412.08629, section 4, where a flow's edit is drawn
    from a new noise at each step.
    """

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        edited = x_t - begun.at(t)
        predicted = predictor(afresh.at(t) + edited, t)
        return predicted - afresh.prediction(t) + begun.prediction(t)

    return predict


def faithful(predictor: Predictor, missed: AtTime, fidelity: float) -> Predictor:
    """Add to an edit's prediction what the reconstruction misses of the input.

    With all of it added, a prediction that changes nothing ends in the input exactly, however
    little the adapter has learned; where the edit changes something, the model goes its own way.

    Args:
        predictor: The edit.
        missed: What the reconstruction misses at each time.
        fidelity: Share of the error that is added, 0 to 1.

    Source: Xu et al. 2023 (InfEdit), arXiv 2312.04965, section 3; Ju et al. 2023, arXiv 2310.01506.
    """
    return lambda x_t, t: predictor(x_t, t) + fidelity * missed(t)


def masked(
    predictor: Predictor, trajectory: Trajectory, find_mask: Callable[[torch.Tensor], torch.Tensor]
) -> Predictor:
    """Let an edit change only a part of the picture; the rest ends in the input exactly.

    Args:
        predictor: The edit.
        trajectory: Where the input lies at each noise level; denoising must begin on it.
        find_mask: From the clean latents that the edit predicts, shape (B, C, h, w), to where they
            may differ from the input's: 1 is fully, 0 not at all; shape (B, 1, h, w). What was
            open at one step and is not at the next goes back to the input.
    """
    objective, latents = trajectory.objective, trajectory.latents

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        edited, _ = objective.split(x_t, predictor(x_t, t), t)
        return objective.towards(x_t, torch.lerp(latents, edited, find_mask(edited)), t)

    return predict
