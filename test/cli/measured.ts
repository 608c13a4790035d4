import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin } from './lifeboat.ts';

export interface Measured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The most memory that the command held, threads and all, in MiB. */
  readonly peakMb: number;
  readonly tookMs: number;
  /** It did not end by itself. */
  readonly hung: boolean;
}

export interface Measuring {
  readonly env?: Readonly<Record<string, string>>;
  /** Another copy of the command. */
  readonly command?: string;
}

/** A command that is at work for so long hangs. No test waits that long for a right one, on however busy a machine. */
const longestMs = 240_000;

/** Runs the real command in `folder` and says how much memory it took at most. */
export async function measured(
  folder: string,
  args: readonly string[],
  { env = {}, command = bin }: Measuring = {},
): Promise<Measured> {
  const { PATH = '', HOME = folder } = process.env;
  const aside = mkdtempSync(join(tmpdir(), 'lifeboat-peak-'));
  const report = join(aside, 'peak');
  const hook = `data:text/javascript,${encodeURIComponent(
    `import { writeFileSync } from 'node:fs'; process.on('exit', () => writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)));`,
  )}`;
  const options = {
    timeout: longestMs,
    killSignal: 'SIGKILL' as const,
    maxBuffer: 64 << 20,
    cwd: folder,
    env: { PATH, HOME, LIFEBOAT_STATE_DIR: join(folder, 'state'), NODE_OPTIONS: `--import=${hook}`, ...env },
  };
  const began = performance.now();
  try {
    return await new Promise((done) => {
      execFile(command, args, options, (error, stdout, stderr) => {
        const hung = error?.killed === true;
        const peakMb = hung ? Number.NaN : Number(readFileSync(report, 'utf8')) / 1024;
        done({ code: error ? Number(error.code) : 0, stdout, stderr, peakMb, tookMs: performance.now() - began, hung });
      });
    });
  } finally {
    rmSync(aside, { recursive: true });
  }
}
