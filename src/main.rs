//! The one binary: a container's monitor or the process for names if it was executed as one, the command line otherwise.

fn main() -> std::process::ExitCode {
    kapal::monitor::main_if_asked(kapal::cli::record);
    kapal::networkdriver::names::main_if_asked(kapal::cli::names);
    kapal::cli::main()
}
