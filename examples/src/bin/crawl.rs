//! How are many slow things done at once, and each dealt with as it comes? A small crawler follows the links of a
//! site, which this program serves on loopback itself. One page fails, one is never answered, and the others go on.
//!
//! Run it with `cargo run --release -p examples --bin crawl`; add `--no-default-features --features inline` to swap the
//! backend.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use executor_core::{Executor, JobOptions, as_completed, job};

/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The links of a page. What goes wrong is a value like any other.
#[job]
fn fetch(url: &str) -> Result<Vec<String>, String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).proxy(None);
    let mut response = config.build().new_agent().get(url).call().map_err(|error| error.to_string())?;
    let page = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
    Ok(page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(String::from).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let site = serve()?;
    let pool = examples::pool(4)?;

    let mut seen = BTreeSet::from([String::from("/")]);
    let mut next: Vec<String> = seen.iter().cloned().collect();
    let (mut fetched, mut failed) = (0, 0);
    while !next.is_empty() {
        // Named by its path, each job can be told apart when it is done, whatever becomes of it.
        let futures = next.drain(..).map(|path| {
            let job = fetch::job(format!("{site}{path}"));
            pool.submit_with(job, JobOptions::new().name(path))
        });
        for done in as_completed(futures.collect::<Vec<_>>()) {
            let job = done.handle();
            match done.result()? {
                Ok(links) => {
                    fetched += 1;
                    println!("{:9} links: {}", job.name(), links.len());
                    next.extend(links.into_iter().filter(|link| seen.insert(link.clone())));
                }
                Err(error) => {
                    failed += 1;
                    println!("{:9} {error}", job.name());
                }
            }
        }
    }
    println!("{fetched} pages fetched, {failed} failed");
    Ok(())
}

/// Serves the site for as long as the program runs, and gives its address.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that goes away is no concern of the server's.
            thread::spawn(move || drop(answer(client)));
        }
    });
    Ok(format!("http://{address}"))
}

fn answer(client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(&client);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (status, links) = match request.split(' ').nth(1).unwrap_or_default() {
        "/" => ("200 OK", "/news /broken /slow /about"),
        "/news" => ("200 OK", "/ /news/1 /news/2 /news/3"),
        "/broken" => ("500 Internal Server Error", ""),
        // Never answered: reads until the client has had enough.
        "/slow" => return io::copy(&mut reader, &mut io::sink()).map(drop),
        _ => ("200 OK", "/"),
    };
    // Reads the head to its end: a connection that is closed with something unread is reset.
    while !matches!(request.trim_end(), "") {
        request.clear();
        reader.read_line(&mut request)?;
    }
    let page: String = links.split_whitespace().map(|link| format!("<a href=\"{link}\">{link}</a>\n")).collect();
    let length = page.len();
    write!(&client, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}")
}
