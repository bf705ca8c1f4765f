//! The profiles that the binary carries.

pub use crate::scenario::shipped_profiles as shipped;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::scenario::model::Gate;
    use crate::targets::profile::{Profile, foresee, load};

    fn profiles() -> Vec<Profile> {
        let loaded = shipped().iter().map(load).collect::<Vec<_>>();
        let problems: Vec<String> = loaded.iter().flat_map(|l| &l.problems).map(|p| p.line()).collect();
        assert_eq!(problems, Vec::<String>::new());
        loaded.into_iter().filter_map(|l| l.profile).collect()
    }

    #[test]
    fn the_list_is_the_folder_and_names_are_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/profiles");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_str().unwrap().trim_end_matches(".yaml").to_owned())
            .collect();
        found.sort();
        let mut names: Vec<String> = profiles().into_iter().map(|p| p.name).collect();
        names.sort();
        assert_eq!(names, found);
    }

    #[test]
    fn they_can_be_planned_with_an_empty_environment() {
        for profile in profiles() {
            let outlook = foresee(&profile, &BTreeMap::new()).unwrap();
            let last = outlook.parts.last().map(|part| part.part.as_str());
            assert_eq!(last, (!profile.makes_organisation).then_some("server"), "{}", profile.name);
        }
    }

    /// scenarios §2.1: the lane that notices #2709 and #2680 is advisory, patient, and never silent.
    #[test]
    fn the_advisory_lane_is_the_old_one() {
        let minimax = profiles().into_iter().find(|p| p.name == "minimax").unwrap();
        let outlook = foresee(&minimax, &BTreeMap::new()).unwrap();
        let input = |name: &str| outlook.inputs[name].clone();
        let inputs = ["model", "online_within", "restart_within", "a2a_within"].map(input);
        assert_eq!(inputs, ["MiniMax-M3", "180s", "240s", "120s"]);
        assert_eq!(minimax.gates.get("all"), Some(&Gate::Advisory));
        assert_eq!(minimax.needs_env, ["MINIMAX_API_KEY"]);
        assert!(minimax.images.is_empty(), "the runtime's own image");
    }
}
