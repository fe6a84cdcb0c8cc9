"""Numbers of the pipeline, each with its unit in the name.

Nothing here is a deployment setting. What belongs to the trained model (`FeatureConfig`) is written into the
model's metadata at export and read back from there.
"""

from dataclasses import dataclass

TARGET_LUFS = -14.0  # what streaming services play at: as loud as the listener's other music
CEILING_DBTP = -1.0  # EBU R128 s1 headroom: lossy codecs overshoot
VOICE_SR = 48_000  # Opus' own rate
VOICE_BIT_RATE = 96_000  # 30 s stay near 0.4 MB, under the 1 MiB above which clients lose the waveform
LENGTHS_S = (15.0, 30.0, 60.0)
DEFAULT_LENGTH_S = 30.0
MIN_TRACK_S = 1.5  # a shorter sound is a signal, not a track; see InputRejected(TOO_SHORT)
MAX_TRACK_S = 3 * 3600.0
CLEAR_CONFIDENCE = 0.35  # below it the bot says that there is no clear highlight


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """How audio becomes the network's input; part of the model, checked when the model loads.

    The mel follows librosa's definition (Slaney scale and norm). The chroma has a longer window, since a
    semitone at 100 Hz needs 6 Hz of resolution.
    """

    sr: int = 22_050
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    fmin: float = 20.0
    fmax: float = 11_025.0
    pool: int = 8  # frames of hop_length averaged into one feature frame: 0.18576 s
    chroma_n_fft: int = 8192

    @property
    def hop_s(self) -> float:
        """Seconds between two pooled feature frames."""
        return self.hop_length * self.pool / self.sr
