//! The local page as a browser and the programs of this machine meet it.

#[cfg(unix)]
mod acceptance;
mod asking;
#[cfg(unix)]
mod demo;
mod downloads;
mod protection;
mod refusal;
mod served;
#[cfg(target_os = "linux")]
mod terminal;
mod view;

/// Both parties' tables, of which one says nothing of the other.
fn table(column: &str) -> String {
    let rows: String = (0..200).map(|id| format!("{id},{}\n", id % 3)).collect();
    format!("id,{column}\n{rows}")
}
