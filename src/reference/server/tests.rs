//! The platform over HTTP.

mod fidelity;
mod play;
mod projection;
