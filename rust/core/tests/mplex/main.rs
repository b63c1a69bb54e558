//! Mplex, one file per behaviour.

mod frames;
mod lifecycle;
mod limits;
mod properties;
mod scheduling;
mod script;
mod stalls;
mod teardown;
mod vectors;
