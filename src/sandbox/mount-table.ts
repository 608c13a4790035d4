export interface Mount {
  readonly target: string;
  readonly type: string;
  /** Of the mount, not of its file system: `rw`, `nosuid`, `relatime`. */
  readonly options: readonly string[];
}

/** Reads /proc/self/mountinfo: see proc_pid_mountinfo(5). */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const fields = before?.split(' ') ?? [];
    const [target, options, type] = [fields[4], fields[5], after?.split(' ')[0]];
    if (target === undefined || options === undefined || type === undefined) return [];
    return [{ target: plain(target), type, options: options.split(',') }];
  });
}

/** Space, tab, line feed and backslash stand as three octal digits. */
function plain(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
