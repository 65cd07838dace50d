//! `chrome-trace:`: what stands in its files, as those who open them read it.

mod kills;
mod perfetto;
mod rotation;
mod speedscope;
mod trace;
mod tracks;
