"""Writes `interest_curve.json` anew after new weights: `python tests/golden/interest_curve.py`."""

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_suffix(".json")


def main() -> None:
    sys.path.insert(0, str(ROOT))
    import soxr

    from inference.features import extract_features
    from inference.model import InterestModel
    from sandbox.song import synthesise_song

    samples, sr, choruses = synthesise_song()
    model = InterestModel.load()
    y = soxr.resample(samples.mean(axis=0), sr, model.config.sr).astype(np.float32)
    curve = model.predict(extract_features(y))
    golden = {
        "version": model.version,
        "hop_s": curve.hop_s,
        "clarity": round(curve.clarity, 3),
        "choruses": [[round(span.start_s, 3), round(span.end_s, 3)] for span in choruses],
        "values": [round(float(v), 3) for v in curve.values],
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
