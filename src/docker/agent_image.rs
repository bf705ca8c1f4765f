//! The image of the reference agent: this program, its loader and the libraries that it maps.
//!
//! Nothing is pulled. The image's tag holds the version and a hash of every file in it, so that it is
//! made once, and again only when the program changed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bollard::body_try_stream;
use bollard::models::ImageSummary;
use bollard::query_parameters::{
    CreateImageOptions, InspectContainerOptions, ListImagesOptions, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::{Engine, EngineError, ErrorKind, filters, names, tar};

const PROGRAM: &str = "lifecycle";
const CHUNK: usize = 256 << 10;

/// A file of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LayerFile {
    inside: String,
    outside: PathBuf,
    size: u64,
}

/// What an image is made from.
#[derive(Clone, Debug)]
pub struct Recipe {
    parts: Vec<LayerFile>,
    entrypoint: Vec<String>,
    /// `lifecycle-agent:<version>-<hash>`.
    pub tag: String,
}

fn cannot(what: impl std::fmt::Display) -> EngineError {
    EngineError::new(ErrorKind::Other, format!("this program cannot be put into an image: {what}"))
        .check("--agent-image IMAGE names one that holds an agent")
}

impl Recipe {
    /// Of the program that runs; reads all of it, so call it where blocking is allowed.
    ///
    /// # Errors
    /// Not on Linux, or something cannot be read.
    pub fn of_this_program() -> Result<Recipe, EngineError> {
        if !cfg!(target_os = "linux") {
            return Err(cannot("containers run Linux, and this machine does not"));
        }
        let program = PathBuf::from("/proc/self/exe");
        let loader = interpreter(&program).map_err(|e| cannot(format!("{}: {e}", program.display())))?;
        let mut outside = vec![(PROGRAM.to_owned(), program)];
        let mut entrypoint = vec![format!("/{PROGRAM}")];
        if let Some(loader) = loader {
            let name = file_name(&loader).ok_or_else(|| cannot("its loader has no name"))?;
            entrypoint =
                [format!("/lib/{name}"), "--library-path".into(), "/lib".into(), format!("/{PROGRAM}")]
                    .into();
            let mut libraries = mapped().map_err(|e| cannot(format!("/proc/self/maps: {e}")))?;
            libraries.insert(name, loader);
            outside.extend(libraries.into_iter().map(|(name, path)| (format!("lib/{name}"), path)));
        }
        let mut all = Sha256::new();
        let mut parts = Vec::new();
        for (inside, path) in outside {
            let fail = |e: io::Error| cannot(format!("{}: {e}", path.display()));
            let mut file = File::open(&path).map_err(fail)?;
            let size = file.metadata().map_err(fail)?.len();
            all.update(inside.as_bytes());
            all.update(size.to_le_bytes());
            let mut buffer = vec![0; CHUNK];
            loop {
                match file.read(&mut buffer).map_err(fail)? {
                    0 => break,
                    n => all.update(&buffer[..n]),
                }
            }
            parts.push(LayerFile { inside, outside: path, size });
        }
        let hash: String = all.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let tag = names::agent_image(&format!("{}-{hash}", env!("CARGO_PKG_VERSION")));
        Ok(Recipe { parts, entrypoint, tag })
    }

    /// The image's files as an archive, piece by piece.
    fn archive(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let folders = ["lib/", "configs/", "workspace/"];
        let mut head: Vec<u8> = folders.iter().flat_map(|f| tar::folder(f, 0o755)).collect();
        // Whoever the agent runs as may write here.
        head.extend(tar::folder("tmp/", 0o1777));
        let files = stream::iter(self.parts).flat_map(|part| {
            let header = tar::header(&part.inside, tar::PROGRAM, 0, part.size);
            let padding = tar::padding(part.size);
            stream::iter([Ok(Bytes::from(header))])
                .chain(content(part.outside, part.size))
                .chain(stream::iter([Ok(Bytes::from(padding))]))
        });
        stream::iter([Ok(Bytes::from(head))]).chain(files).chain(stream::iter([Ok(Bytes::from(tar::end()))]))
    }
}

/// Exactly so many bytes of a file.
fn content(path: PathBuf, size: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    enum State {
        Closed(PathBuf),
        Open(tokio::fs::File),
        Over,
    }
    stream::unfold((State::Closed(path), size), |(state, left)| async move {
        let opened = match state {
            State::Closed(path) => tokio::fs::File::open(path).await,
            State::Open(file) => Ok(file),
            State::Over => return None,
        };
        if left == 0 {
            return None;
        }
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => return Some((Err(error), (State::Over, 0))),
        };
        let mut buffer = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        match file.read(&mut buffer).await {
            Ok(0) => Some((Err(io::ErrorKind::UnexpectedEof.into()), (State::Over, 0))),
            Ok(n) => {
                buffer.truncate(n);
                Some((Ok(Bytes::from(buffer)), (State::Open(file), left - n as u64)))
            }
            Err(error) => Some((Err(error), (State::Over, 0))),
        }
    })
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Libraries that this process maps, by file name.
fn mapped() -> io::Result<BTreeMap<String, PathBuf>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    Ok(libraries(&maps))
}

fn libraries(maps: &str) -> BTreeMap<String, PathBuf> {
    let executable =
        maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|p| p.contains('x')));
    executable
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .filter_map(|path| Some((file_name(&path)?, path)))
        .filter(|(name, _)| name.contains(".so"))
        .collect()
}

/// The loader that an ELF program asks for; `None` for a static one.
fn interpreter(path: &Path) -> io::Result<Option<PathBuf>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no 64-bit little-endian ELF program");
    let mut file = File::open(path)?;
    let mut head = [0u8; 64];
    file.read_exact(&mut head)?;
    if head[..6] != *b"\x7fELF\x02\x01" {
        return Err(bad());
    }
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let (offset, size, count) = (number(&head[32..40]), number(&head[54..56]), number(&head[56..58]));
    if size < 56 || count > 1_000 {
        return Err(bad());
    }
    for n in 0..count {
        let mut entry = [0u8; 56];
        file.seek(SeekFrom::Start(offset + n * size))?;
        file.read_exact(&mut entry)?;
        if number(&entry[..4]) == 3 {
            let length = number(&entry[32..40]).min(4_096);
            let mut text = vec![0u8; usize::try_from(length).unwrap_or_default()];
            file.seek(SeekFrom::Start(number(&entry[8..16])))?;
            file.read_exact(&mut text)?;
            let text = String::from_utf8_lossy(&text);
            return Ok(Some(PathBuf::from(text.trim_end_matches('\0'))));
        }
    }
    Ok(None)
}

/// The name that we gave an image of ours.
pub(super) fn agent_name(image: &ImageSummary) -> Option<&str> {
    let given = names::agent_image(image.labels.get(names::AGENT)?);
    image.repo_tags.iter().map(String::as_str).find(|tag| *tag == given)
}

/// Whether what is run is our program, as [`Recipe`] runs it.
pub(super) fn runs_our_program(entrypoint: &[String]) -> bool {
    let ours = |program: &str| program.strip_prefix('/') == Some(PROGRAM);
    match entrypoint {
        [program] => ours(program),
        [loader, flag, folder, program] => {
            loader.starts_with("/lib/") && flag == "--library-path" && folder == "/lib" && ours(program)
        }
        _ => false,
    }
}

impl Engine {
    /// Whether an image is here.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        self.image_id(image).await.map(|found| found.is_some())
    }

    /// `os/architecture` of an image.
    ///
    /// # Errors
    /// There is none, or the engine refuses.
    pub async fn image_platform(&self, image: &str) -> Result<String, EngineError> {
        let found = self.docker.inspect_image(image);
        let found = self.look(&format!("look at the image {image}"), found).await?;
        Ok(format!("{}/{}", found.os.unwrap_or_default(), found.architecture.unwrap_or_default()))
    }

    /// Makes the agent image, if it is not there; says whether it was made.
    ///
    /// # Errors
    /// The engine refuses, or a file cannot be read.
    pub async fn make_agent_image(&self, recipe: Recipe) -> Result<bool, EngineError> {
        if self.has_image(&recipe.tag).await? {
            return Ok(false);
        }
        let label = recipe.tag.split_once(':').map_or("latest", |(_, tag)| tag);
        let changes = vec![
            format!("ENTRYPOINT {}", serde_json::to_string(&recipe.entrypoint).unwrap_or_default()),
            "CMD [\"serve\", \"agent\"]".to_owned(),
            format!("LABEL {}={label}", names::AGENT),
        ];
        let tag = recipe.tag.clone();
        self.import_image(&tag, changes, recipe.archive()).await?;
        Ok(true)
    }

    /// Makes an image of an archive of files, for the engine's own kind of machine.
    ///
    /// # Errors
    /// The engine refuses, or the archive cannot be read.
    pub async fn import_image(
        &self,
        name: &str,
        changes: Vec<String>,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), EngineError> {
        let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            changes,
            ..CreateImageOptions::default()
        };
        let mut answer = self.docker.create_image(Some(options), Some(body_try_stream(archive)), None);
        while let Some(line) = answer.next().await {
            line.map_err(|e| self.error(&format!("make the image {name}"), &e))?;
        }
        Ok(())
    }

    /// Names of our agent images, but for one. An image that somebody made from one of ours inherits its label, and
    /// our image may bear names of theirs: neither is among them.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn old_agent_images(&self, keep: &str) -> Result<Vec<String>, EngineError> {
        let options = ListImagesOptions {
            filters: Some(filters(&[("label", names::AGENT)])),
            ..ListImagesOptions::default()
        };
        let images = self.look("list images", self.docker.list_images(Some(options))).await?;
        Ok(images.iter().filter_map(agent_name).filter(|name| *name != keep).map(str::to_owned).collect())
    }

    /// Takes a name from an image that nothing uses, and with its last one the image; says whether it is gone.
    pub async fn remove_image(&self, name: &str) -> bool {
        let options = RemoveImageOptions { noprune: true, ..RemoveImageOptions::default() };
        let removed = self.docker.remove_image(name, Some(options), None);
        self.change(&format!("remove the image {name}"), removed).await.is_ok()
    }

    /// The image id that a container was made from.
    ///
    /// # Errors
    /// There is no such container, or the engine refuses.
    pub async fn image_of(&self, container: &str) -> Result<String, EngineError> {
        let found = self.docker.inspect_container(container, None::<InspectContainerOptions>);
        let found = self.look(&format!("look at {container}"), found).await?;
        Ok(found.image.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mapped_libraries_count() {
        let maps = "\
7f00-7f01 r--p 00000000 08:01 1 /usr/lib/libc.so.6
7f01-7f02 r-xp 00000000 08:01 1 /usr/lib/libc.so.6
7f02-7f03 r-xp 00000000 08:01 2 /home/me/target/lifecycle
7f03-7f04 r-xp 00000000 00:00 0 [vdso]
7f04-7f05 r--s 00000000 08:01 3 /usr/lib/locale/C.so.cache
";
        let names: Vec<String> = libraries(maps).into_keys().collect();
        assert_eq!(names, ["libc.so.6"]);
    }

    #[test]
    fn this_program_says_what_it_needs() {
        let recipe = Recipe::of_this_program().unwrap();
        assert_eq!(recipe.parts[0].inside, PROGRAM);
        assert!(recipe.tag.starts_with("lifecycle-agent:"), "{}", recipe.tag);
        assert!(runs_our_program(&recipe.entrypoint), "{:?}", recipe.entrypoint);
        for foreign in [&["/bin/sh", "-c", "/lifecycle"][..], &["/entry.sh"], &[]] {
            assert!(!runs_our_program(&foreign.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()));
        }
    }
}
