use super::catalogue;
use super::lint;

#[test]
fn every_shipped_mechanism_is_sound() {
    if let Err(problems) = lint::load(&catalogue::files()) {
        panic!("{}", problems.iter().map(|p| p.draw(false, 120)).collect::<String>());
    }
}
