//! What parts need before any of them is started: folders, engine, network, names of images.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use super::start::AGENT;
use super::{Lane, Made, folder_name};
use crate::docker::{Engine, names};
use crate::targets::profile::books::{FOLDER, IMAGE_TAG, NETWORK};
use crate::targets::profile::model::{Part, Profile, Starts};
use crate::targets::{OpenError, docker};

impl Lane {
    /// Folders, engine, network, images.
    pub(super) async fn prepare(&mut self, profile: &Profile) -> Result<(), OpenError> {
        if !profile.folders.is_empty() {
            self.make_folders(profile)?;
        }
        let contained =
            |part: &Part| matches!(part.starts, Starts::Image { .. }) && self.values.given(part).is_none();
        let containers = profile.parts.iter().any(contained);
        if containers || profile.network.is_some() || !profile.images.is_empty() {
            self.engine = Some(docker::engine(&self.setup.engine).await?);
        }
        let Some(engine) = self.engine.clone() else { return Ok(()) };
        self.images_are_there(profile, &engine).await?;
        if let Some(name) = &profile.network {
            let network = if name == names::NETWORK {
                let entry = self.books.intend(NETWORK, name);
                self.made.push((entry, Made::Network));
                engine.share_network(&self.setup.run).await?
            } else {
                engine.network(name).await?.ok_or_else(|| {
                    let only = format!("only {} is made when it is missing", names::NETWORK);
                    OpenError {
                        what: format!("the engine has no network {name}"),
                        check: vec![only],
                        busy: false,
                        refused: false,
                        dependency: None,
                    }
                })?
            };
            let gateway = network.gateway.ok_or_else(|| {
                OpenError::new(format!("the network {name} has no IPv4 gateway"), &["docker network inspect"])
            })?;
            self.values.set("network.name", name);
            self.values.set("network.gateway", gateway.to_string());
        }
        for tag in &profile.images {
            let image = self.image(&tag.image).await.map_err(|f| OpenError::new(f.what, &[]))?;
            let further = self.text(&tag.tag).map_err(|f| OpenError::new(f.what, &[]))?;
            if engine.has_image(&further).await? {
                let hint = "the profile's `images` only gives names that are free: write ${run.id} into it";
                return Err(OpenError::new(format!("there is an image {further} already"), &[hint]));
            }
            let id = engine.image_id(&image).await?.ok_or_else(|| {
                OpenError::new(format!("the image {image} is gone"), &["somebody removed it just now"])
            })?;
            let mut entry = self.books.intend(IMAGE_TAG, &further);
            // Known before it is asked for: the name is ours only while it points there.
            self.books.own(&mut entry, &id);
            self.made.push((entry, Made::Tag(further.clone(), id.clone())));
            engine.tag(&id, &further).await?;
        }
        Ok(())
    }

    /// All that are missing are named before anything is started.
    async fn images_are_there(&self, profile: &Profile, engine: &Engine) -> Result<(), OpenError> {
        let mut missing = Vec::new();
        let needed = profile.parts.iter().filter(|part| self.values.given(part).is_none());
        let needed = needed.filter_map(|part| match &part.starts {
            Starts::Image { image, .. } => Some(image),
            _ => None,
        });
        for image in needed.chain(profile.images.iter().map(|tag| &tag.image)) {
            let name = self.text(image).map_err(|f| OpenError::new(f.what, &[]))?;
            if name != AGENT && !missing.contains(&name) && !engine.has_image(&name).await? {
                missing.push(name);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let what = format!("not on this engine, and nothing is pulled: {}", missing.join(", "));
        Err(OpenError {
            what,
            check: missing.iter().map(|image| format!("docker pull {image}")).collect(),
            busy: false,
            refused: false,
            dependency: None,
        })
    }

    fn make_folders(&mut self, profile: &Profile) -> Result<(), OpenError> {
        let path = self.setup.temp.join(folder_name(&self.setup.run));
        let entry = self.books.intend(FOLDER, &path.display().to_string());
        self.made.push((entry, Made::Folder(path.clone())));
        let fail = |path: &PathBuf, e: std::io::Error| {
            OpenError::new(
                format!("cannot make the folder {}: {e}", path.display()),
                &["TMPDIR names another place"],
            )
        };
        // Another user may have to reach what is theirs in it.
        fs::DirBuilder::new().mode(0o711).create(&path).map_err(|e| fail(&path, e))?;
        for name in &profile.folders {
            let path = path.join(name);
            fs::DirBuilder::new().mode(0o700).create(&path).map_err(|e| fail(&path, e))?;
        }
        Ok(())
    }
}
