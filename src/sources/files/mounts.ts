import { readFile } from 'node:fs/promises';

/** The folders where file systems are mounted now, as text; empty where the kernel does not tell. */
export async function mountPoints(): Promise<ReadonlySet<string>> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return new Set(fields(text, 4));
}

/** The folders that shall have a file system of their own, by fstab, whenever the host is up. */
export async function expectedMounts(fstab = '/etc/fstab'): Promise<ReadonlySet<string>> {
  const text = await readFile(fstab, 'utf8').catch(() => '');
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line) && !/\b(noauto|nofail|x-systemd\.automount)\b/.test(line));
  return new Set(fields(lines.join('\n'), 1));
}

function fields(text: string, at: number): string[] {
  return text
    .split('\n')
    .flatMap((line) => line.trim().split(/\s+/)[at] ?? [])
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}
