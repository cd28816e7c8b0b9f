import Glibc

extension MetricRegistry {
  /// What Prometheus' own clients say about their process, read from `/proc` whenever it is asked for.
  public func addProcessMetrics() {
    gauge("process_resident_memory_bytes", help: "Resident memory size in bytes.") {
      statm(field: 1)
    }
    gauge("process_virtual_memory_bytes", help: "Virtual memory size in bytes.") {
      statm(field: 0)
    }
    collect("process_cpu_seconds_total", help: "User and system CPU time spent in seconds.", kind: .counter) {
      [MetricSample([:], cpuSeconds())]
    }
    gauge("process_open_fds", help: "Number of open file descriptors.") { Double(openDescriptors()) }
    gauge("process_max_fds", help: "Maximum number of open file descriptors.") {
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }
    let started = startTime()
    gauge("process_start_time_seconds", help: "Start time of the process since 1970 in seconds.") { started }
  }
}

/// The words of a small file below `/proc`; none when it cannot be read.
private func words(of path: String) -> [Substring] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return [] }
  defer { close(descriptor) }
  let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
    count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
  }
  return String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }
}

private func statm(field: Int) -> Double {
  let fields = words(of: "/proc/self/statm")
  guard field < fields.count, let pages = Double(fields[field]) else { return .nan }
  return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
}

private func cpuSeconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
  return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1_000_000
}

private func openDescriptors() -> Int {
  guard let folder = opendir("/proc/self/fd") else { return 0 }
  defer { closedir(folder) }
  var count = 0
  while readdir(folder) != nil { count += 1 }
  // Not `.`, `..` and the descriptor of the folder itself.
  return count - 3
}

/// Since 1970, in seconds.
private func startTime() -> Double {
  let stat = words(of: "/proc/self/stat")
  let system = words(of: "/proc/stat")
  // The name of the program, in parentheses, may hold spaces; start time is the 20th field behind it.
  guard let name = stat.lastIndex(where: { $0.hasSuffix(")") }), name + 20 < stat.count,
    let ticks = Double(stat[name + 20]), let boot = system.firstIndex(of: "btime"), boot + 1 < system.count,
    let bootTime = Double(system[boot + 1])
  else { return .nan }
  return bootTime + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
}
