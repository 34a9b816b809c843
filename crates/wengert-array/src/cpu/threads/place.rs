//! Where the threads that help run: not on the core of the thread that they help.
//!
//! After a pause the system may wake a thread on the core of the one that wakes it, and let both share it for some tens of
//! milliseconds while others are idle: two threads are then as fast as one. So those to be woken are kept off that core. What
//! others say of where they may run is respected.

#[cfg(target_os = "linux")]
pub(super) use linux::{Places, here};
#[cfg(not(target_os = "linux"))]
pub(super) use nowhere::{Places, here};

#[cfg(target_os = "linux")]
mod linux {
    use libc::{CPU_CLR, CPU_COUNT, CPU_EQUAL, CPU_ISSET, CPU_SETSIZE, cpu_set_t, pid_t};
    use std::sync::{Mutex, PoisonError};

    /// Threads that have begun, and are not yet in [`Places`].
    static BEGUN: Mutex<Vec<pid_t>> = Mutex::new(Vec::new());

    /// Says that the calling thread will help.
    pub(in super::super) fn here() {
        // SAFETY: takes nothing and cannot fail.
        let id = unsafe { libc::gettid() };
        BEGUN.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// The threads that help, and where they may run.
    pub(in super::super) struct Places {
        threads: Vec<Place>,
        /// The process that they are of: a copy of it (`fork`) has none of them.
        process: u32,
    }

    struct Place {
        id: pid_t,
        /// Cores that it might run on, and those that it does with one left out.
        all: cpu_set_t,
        now: cpu_set_t,
    }

    impl Places {
        pub(in super::super) const fn new() -> Places {
            Places {
                threads: Vec::new(),
                process: 0,
            }
        }

        /// Keeps all off the core that the calling thread runs on.
        pub(in super::super) fn keep_off(&mut self) {
            // SAFETY: takes nothing.
            let Ok(core) = usize::try_from(unsafe { libc::sched_getcpu() }) else {
                return;
            };
            if core >= CPU_SETSIZE as usize {
                return;
            }
            if self.process != std::process::id() {
                self.process = std::process::id();
                self.threads.clear();
            }
            let begun = std::mem::take(&mut *BEGUN.lock().unwrap_or_else(PoisonError::into_inner));
            self.threads.extend(begun.into_iter().filter_map(|id| {
                let now = cores(id)?;
                Some(Place { id, all: now, now })
            }));
            self.threads.iter_mut().for_each(|place| place.leave(core));
        }
    }

    impl Place {
        fn leave(&mut self, core: usize) {
            // SAFETY: a set of cores, and one that it has room for.
            if unsafe { !CPU_ISSET(core, &self.now) } {
                return;
            }
            let Some(now) = cores(self.id) else { return };
            // SAFETY: sets of cores.
            if unsafe { !CPU_EQUAL(&now, &self.now) } {
                self.all = now;
            }
            self.now = self.all;
            // SAFETY: as above; the thread has not ended, as none that helps does, and the set is of its size.
            unsafe {
                let mut less = self.all;
                CPU_CLR(core, &mut less);
                let some = CPU_COUNT(&less) > 0;
                if some && libc::sched_setaffinity(self.id, size_of::<cpu_set_t>(), &less) == 0 {
                    self.now = less;
                }
            }
        }
    }

    /// The cores that a thread may run on, if the system says.
    fn cores(id: pid_t) -> Option<cpu_set_t> {
        // SAFETY: all zeros is a set; the system writes one of its size.
        unsafe {
            let mut set: cpu_set_t = std::mem::zeroed();
            (libc::sched_getaffinity(id, size_of::<cpu_set_t>(), &mut set) == 0).then_some(set)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::sync::mpsc::channel;

        fn list(set: &cpu_set_t) -> Vec<usize> {
            // SAFETY: cores that the set has room for.
            (0..CPU_SETSIZE as usize)
                .filter(|core| unsafe { CPU_ISSET(*core, set) })
                .collect()
        }

        fn set(id: pid_t, cores: &[usize]) {
            // SAFETY: all zeros is a set, which the cores came from; the thread lives.
            unsafe {
                let mut set: cpu_set_t = std::mem::zeroed();
                cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
                assert_eq!(libc::sched_setaffinity(id, size_of::<cpu_set_t>(), &set), 0);
            }
        }

        #[test]
        fn a_thread_that_helps_keeps_off_the_core_of_the_one_it_helps() {
            let (say, said) = channel();
            let (end, ended) = channel::<()>();
            let helper = std::thread::spawn(move || {
                // SAFETY: as in `here`.
                say.send(unsafe { libc::gettid() }).unwrap();
                let _ = ended.recv();
            });
            let id = said.recv().unwrap();
            let now = cores(id).unwrap();
            let all = list(&now);
            let mut place = Place { id, all: now, now };
            for core in &all {
                place.leave(*core);
                let others: Vec<usize> = all.iter().copied().filter(|other| other != core).collect();
                let want = if others.is_empty() { &all } else { &others };
                assert_eq!(&list(&cores(id).unwrap()), want);
            }
            // What others say stays said. (The last core is the one that it was kept off.)
            if let [first, .., last] = all[..] {
                set(id, &[last]);
                for core in [first, last, first] {
                    place.leave(core);
                    assert_eq!(list(&cores(id).unwrap()), [last]);
                }
            }
            drop(end);
            helper.join().unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    pub(in super::super) fn here() {}

    pub(in super::super) struct Places;

    impl Places {
        pub(in super::super) const fn new() -> Places {
            Places
        }

        pub(in super::super) fn keep_off(&mut self) {}
    }
}
