//! `chrome-trace:`: what stands in its files, as those who open them read it.

mod kills;
mod rotation;
mod speedscope;
mod trace;
mod tracks;
