//! Yamux, one file per behaviour.

mod flow_control;
mod frames;
mod keepalive;
mod lifecycle;
mod limits;
mod opening;
mod properties;
mod scheduling;
mod script;
mod teardown;
