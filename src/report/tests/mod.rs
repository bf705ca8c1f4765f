mod sample;

mod console_text;
mod file_reports;
mod folding;
mod schemas;
