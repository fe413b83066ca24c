// Package sqlite is a store in one SQLite file, for the processes of one
// machine: they elect a leader without a server. It is written in Go alone, by
// modernc.org/sqlite, and needs no cgo.
//
//	kv, err := store.Open(ctx, "sqlite:///var/lib/app/election.db")
//
// or, in the database that the program has open:
//
//	db, err := sql.Open("sqlite", "file:/var/lib/app/app.db?_pragma=journal_mode(WAL)")
//	kv, err := sqlite.New(db)
//
// # URL
//
// The path is absolute: a relative one would be another file, and so another
// election, in each working directory. It is %-encoded. The folder has to be
// there, and the file is made. There is one parameter, and no environment:
//
//	poll=20ms    as WithPollInterval
//
// A file that is opened by URL is in WAL mode, and every write is synced to the
// disk before it is acknowledged (synchronous=FULL): that was 0.4 of the 0.7 ms
// that a write took on a fast disk.
//
// A database of the user's keeps its settings, and its pool. It has to be a file
// in WAL mode, which stays so once it is set; others are refused. So is one in
// memory, for it may be another for each connection. synchronous=FULL is
// advised, the default: with less a power failure may undo the last writes, and
// a round that was elected, or completed, may then be so again.
//
// # What it guarantees
//
// A write is one SQL statement, and a transaction of its own. SQLite has one
// writer at a time, and a read finds the last write that was acknowledged: so
// reads, writes and deletes are linearizable, over all processes. A process that
// is killed, at whatever instant, leaves a sound file and no lock. After a power
// failure all acknowledged writes are there, if the disk does as it is told.
//
// There is no failover, so fencing tokens add what they always do: they refuse
// a leader that was paused after it had looked whether it leads. A backup that
// is put in place of the file takes the election back in time, and tokens
// rise all the same, as far as the wall clock does.
//
// The index of a write comes from a counter of the file. It rises with every
// write, and never comes back, also not for a key that was deleted.
//
// TTLs are kept to the millisecond, by the wall clock, of which the processes
// of a machine share one. Who sets that clock moves the ends of all TTLs. Those
// below a millisecond are refused with store.ErrTTLNotSupported, and fractions of
// one are rounded up. Elections do not use TTLs.
//
// # Watches
//
// SQLite tells a process nothing of the writes of others. On Linux the kernel
// does: inotify, on the folder of the file. Behind that, and alone elsewhere, a
// Store that has watches looks at one row every poll interval, however many
// watches there are. Writes by the same Store are told at once.
//
// On a virtual machine with two cores a write was told to another process after
// 1 to 5 ms, and a process with watches, one or ten, took 0.4 percent of a core
// at rest; with poll=20ms, as elsewhere than on Linux by default, 2 percent.
//
// # Limits
//
// All processes have to run on one machine, with the file on a disk of its own.
// Network file systems (NFS, SMB, most volumes that containers on several
// machines share) do not have the locks and the shared memory that WAL mode
// needs: the file gets damaged, or there are two leaders.
//
// A process that is halted while it writes (SIGSTOP, a debugger) keeps the lock:
// writes of all others then end with their contexts until it goes on or is
// killed. So does a long write transaction of an application in the same file:
// give elections a file of their own where there are any.
//
// Do not delete, move or replace the file while a process has it open, nor the
// files beside it (-wal, -shm), and if you must, all three: what is left of the former
// file would be read into the new one. A store that was opened by URL notices that the
// file is another or gone: the call returns an error, and the next ones are on the file
// that is there now, or on a new one; while -shm of the former file is still there they
// say so. A store on a database of the user's refuses all calls. Do not open the file by other
// means in a process that elects, not even to read it, such as os.ReadFile: on
// closing it the kernel takes the locks of the process away. The same is true of
// a second SQLite library in one process.
//
// The process needs the right to read and write the file, and to create files
// in its folder. The table is named leadership_kv; in the shell
//
//	SELECT id, CAST(key AS TEXT), CAST(value AS TEXT), expires FROM leadership_kv;
//
// shows it.
//
// Tested with modernc.org/sqlite v1.60.0 (SQLite 3.53) on Linux.
package sqlite
