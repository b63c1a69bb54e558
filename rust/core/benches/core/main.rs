//! How long the core takes, layer by layer. `cargo bench -p plait-core`; nothing else should run.

mod frames;
mod multistream;
mod records;
mod sessions;
mod tls;
mod varint;
mod wire;

fn main() {
    divan::main();
}
