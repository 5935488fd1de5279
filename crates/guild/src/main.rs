//! The guild program; all of it is in the library of the same name.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let plain = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (plain(name), plain(value)));
    guild::run::run(std::env::args_os(), environment.collect())
}
