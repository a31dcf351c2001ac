//! The one binary: a container's monitor if it was executed as one, the command line otherwise.

fn main() -> std::process::ExitCode {
    kapal::monitor::main_if_asked(kapal::cli::record);
    kapal::cli::main()
}
