"""Highlights of several tracks as one mix: planned without their audio, rendered track after track.

nouns     plan, segments, transitions, the tracklist
plan      which spans, in which order, how they meet; the length of it all
bars      bar lines that two tracks can share
crossfade gains of a fade, and the bass that changes hands in its middle
warp      stretching bar by bar onto a common grid, and lining up what is on it
master    limiter and loudness meter that see the mix as a stream
writer    the tagged MP3, small enough to be sent
silence   where a stretch of sound ends
render    the sound: one plan and the tracks' files in, one file out
cover, picture   the mix to look at
"""
