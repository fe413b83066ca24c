// Package sqlite is a store in one SQLite file, for the processes of one machine: they
// elect a leader without a server. It uses modernc.org/sqlite, which needs no cgo.
//
//	kv, err := store.Open(ctx, "sqlite:///var/lib/app/election.db")
//
// or, in a database that the program has open:
//
//	db, err := sql.Open("sqlite", "file:/var/lib/app/app.db?_pragma=journal_mode(WAL)")
//	kv, err := sqlite.New(db)
//
// # URL
//
// The path is absolute, because a relative one would be another file, and so another
// election, in each working directory. It is %-encoded. The folder must exist; the file
// is created. There is one parameter, and no environment variable:
//
//	poll=20ms    see WithPollInterval
//
// A file that is opened by URL is in WAL mode, and every write is synced to the disk
// before it is acknowledged (synchronous=FULL). That took 0.4 of the 0.7 ms of a write on
// a fast disk.
//
// A database of the user keeps its settings and its pool. It must be a file in WAL mode,
// which a file keeps once it is set; others are refused. So is a database in memory,
// because each connection may have its own. Use synchronous=FULL, the default: with less
// a power failure may undo the last writes, and a round may be won, or completed, twice.
//
// # What it guarantees
//
// A write is one SQL statement, and one transaction. SQLite has one writer at a time, and
// a read finds the last acknowledged write, so reads, writes and deletes of all processes
// are linearizable. A process that is killed leaves an intact file and no lock, at any
// time. After a power failure all acknowledged writes are there, if the disk syncs what
// it says it does.
//
// There is no failover. Fencing tokens add what they add everywhere: a resource that
// checks them refuses a leader that was paused after it had checked that it leads. If a
// backup replaces the file, the election goes back in time, and tokens still rise, as far
// as the wall clock does.
//
// The index of a write comes from a counter of the file. It rises with every write, and
// is never used again, even for a key that was deleted.
//
// TTLs end to the millisecond, by the wall clock of the machine. Setting that clock moves
// the ends of all TTLs. TTLs below a millisecond are refused with
// store.ErrTTLNotSupported, and fractions of one are rounded up. Elections do not use
// TTLs.
//
// # Watches
//
// SQLite does not notify a process of the writes of others. On Linux the kernel does, by
// inotify on the folder of the file. In addition, and on other systems instead, a Store
// with watches reads one row every poll interval, however many watches there are. Watches
// see writes of the same Store at once.
//
// On a virtual machine with two cores another process saw a write after 1 to 5 ms, and an
// idle process with watches, one or ten, used 0.4 percent of a core; with poll=20ms, the
// default on systems other than Linux, 2 percent.
//
// # Limits
//
// All processes must run on one machine, with the file on a local disk. Network file
// systems (NFS, SMB, most volumes that containers on several machines share) do not have
// the locks and the shared memory that WAL mode needs: the file gets damaged, or there
// are two leaders.
//
// A process that is stopped while it writes (SIGSTOP, a debugger) keeps the lock: the
// writes of all others wait until their contexts end, until it continues or is killed. A
// long write transaction of an application in the same file has the same effect: if there
// are any, give elections a file of their own.
//
// Do not delete, move or replace the file, or the files beside it (-wal, -shm), while a
// process has it open. If you must, take all three: the rest of the old file would be
// read into the new one. A store that was opened by URL notices that the file was
// replaced or deleted: the call returns an error, and later calls use the present file,
// or a new one; while -shm of the old file exists they return an error that says so. A
// store on a database of the user refuses all calls. In a process with elections do not
// open the file by other means, not even to read it, for example by os.ReadFile: when it
// is closed the kernel releases the locks of the process. The same applies to a second
// SQLite library in one process.
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
