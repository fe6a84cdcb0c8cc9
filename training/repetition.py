"""What repeats in a track: self-similarity of chroma, in PyTorch so that it is part of the exported graph.

A point is `POINT_FRAMES` feature frames (0.743 s); matrices are (n_points, n_points).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.songs import POINT_FRAMES

EMBED_POINTS = (5, 11, 23)  # 4, 8 and 17 s: a line, half a section, a section
NEAR_POINTS = 9  # a moment resembles its own neighbourhood; repetition starts 7 s away
BAND = 24  # lags on each side, for boundaries: 18 s
THRESHOLDS = (0.25, 0.5, 0.7)
MODULATIONS = (1, 2, 11, 10)  # semitones by which a last chorus is usually moved, as rotations


def pooled(frames: Tensor) -> Tensor:
    """Mean over each `POINT_FRAMES` frames, the last repeated: (n, d) -> (ceil(n / POINT_FRAMES), d)."""
    n = frames.shape[0]
    n_points = (n + POINT_FRAMES - 1) // POINT_FRAMES
    index = torch.clamp(torch.arange(n_points * POINT_FRAMES, device=frames.device), max=n - 1)
    return frames[index].reshape(n_points, POINT_FRAMES, -1).mean(1)


def embedded(x: Tensor, n_points: int) -> Tensor:
    """Each point with its surroundings, unit length: (n, d) -> (n, d * n_points)."""
    half = n_points // 2
    padded = F.pad(x, (0, 0, half, half))
    n = x.shape[0]
    rows = torch.cat([padded[k : k + n] for k in range(n_points)], dim=1)
    return rows / (rows.norm(dim=1, keepdim=True) + 1e-3)


def half_points(chroma: Tensor) -> Tensor:
    """Chroma at twice the points' rate, compressed, each half at unit length, the song's mean removed."""
    n = chroma.shape[0]
    half = POINT_FRAMES // 2
    n_points = (n + POINT_FRAMES - 1) // POINT_FRAMES
    index = torch.clamp(torch.arange(n_points * POINT_FRAMES, device=chroma.device), max=n - 1)
    x = torch.sqrt(chroma[index].reshape(n_points * 2, half, -1).mean(1))
    bass, treble = x[:, :12], x[:, 12:]
    bass = bass / (bass.norm(dim=1, keepdim=True) + 0.3)
    treble = treble / (treble.norm(dim=1, keepdim=True) + 0.3)
    x = torch.cat([bass, treble], dim=1)
    return x - x.mean(0, keepdim=True)


def similarities(chroma: Tensor) -> Tensor:
    """(n_kinds, n, n): treble over three spans, bass over the middle one, treble with modulations."""
    x = half_points(chroma)
    n = x.shape[0] // 2
    bass, treble = x[:, :12], x[:, 12:]
    out = [_similarity(treble, k) for k in EMBED_POINTS]
    out.append(_similarity(bass, EMBED_POINTS[1]))
    middle = EMBED_POINTS[1]
    rows = embedded(treble.reshape(n, 24), middle)
    best = out[1]
    for shift in MODULATIONS:
        moved = torch.cat([treble[:, shift:], treble[:, :shift]], dim=1)
        best = torch.maximum(best, rows @ embedded(moved.reshape(n, 24), middle).T)
    out.append(torch.maximum(best, best.T))
    return torch.stack(out)


def _similarity(x: Tensor, n_points: int) -> Tensor:
    """Cosine of surroundings; a repeat may lie half a point off the grid."""
    n, d = x.shape[0] // 2, x.shape[1]
    late = torch.cat([x[1:], x[-1:]])
    rows = embedded(x.reshape(n, 2 * d), n_points)
    later = embedded(late.reshape(n, 2 * d), n_points)
    cross = rows @ later.T
    return torch.maximum(rows @ rows.T, torch.maximum(cross, cross.T))


def far_mask(n: int, device: torch.device) -> Tensor:
    """1 where two points are apart enough to call likeness a repetition: (n, n)."""
    at = torch.arange(n, device=device)
    return ((at[:, None] - at[None, :]).abs() >= NEAR_POINTS).to(torch.float32)


def repetition_features(similar: Tensor) -> Tensor:
    """Per point: how much of the track repeats it, how well, and before or after it: (n, d)."""
    n = similar.shape[1]
    far = far_mask(n, similar.device)
    at = torch.arange(n, device=similar.device)
    later = (at[None, :] > at[:, None]).to(torch.float32)
    out = []
    for s in similar:
        s = torch.relu(s) * far
        out += [torch.relu(s - threshold).sum(1) for threshold in THRESHOLDS]
        best = s.max(dim=1).values
        best_later = (s * later).max(dim=1).values
        best_earlier = (s * (1 - later)).max(dim=1).values
        out += [best, best_later - best_earlier]
    counts = torch.stack(out, dim=1)
    return torch.cat([torch.log1p(counts), counts.mean(0, keepdim=True).expand_as(counts) * 0.1], dim=1)


def band(similar: Tensor) -> Tensor:
    """Likeness to the near past and future, for boundaries: (n, n_kinds_used * (2 * BAND + 1))."""
    n = similar.shape[1]
    at = torch.arange(n, device=similar.device)
    lags = torch.arange(-BAND, BAND + 1, device=similar.device)
    index = at[:, None] + lags[None, :] + BAND
    rows = [torch.gather(F.pad(s, (BAND, BAND)), 1, index) for s in (similar[0], similar[3])]
    return torch.cat(rows, dim=1)


def chroma_statistics(chroma: Tensor) -> Tensor:
    """What chroma tells of level, density and change, without naming a key: (n, d)."""
    bass, treble = chroma[:, :12], chroma[:, 12:]
    columns = []
    for x in (bass, treble):
        total = x.sum(1)
        share = x / (total[:, None] + 1e-3)
        entropy = -(share * torch.log(share + 1e-4)).sum(1)
        change = (x[1:] - x[:-1]).abs().sum(1)
        columns += [total, x.max(dim=1).values, entropy, torch.cat([change, change[-1:]])]
    stats = pooled(torch.stack(columns, dim=1))
    return standardised(stats)


def standardised(x: Tensor) -> Tensor:
    """Zero mean and unit deviation over the track."""
    centred = x - x.mean(0, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(0, keepdim=True) + 1e-4)
