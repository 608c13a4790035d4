import { toolFailed } from './errors.ts';
import { type ProcessOptions, startProcess } from './start.ts';

export interface CommandOptions extends Omit<ProcessOptions, 'stdout'> {
  /** More output than this is a failure; 16 MiB when absent. For more, `startProcess` streams. */
  readonly maxStdoutBytes?: number;
  /** Exit codes that are no failure; `[0]` when absent. */
  readonly okExitCodes?: readonly number[];
}

export interface CommandResult {
  readonly stdout: Buffer;
  /** The last lines of stderr, without secrets. */
  readonly stderrTail: string;
  readonly exitCode: number;
}

/** Runs a program to its end. Throws `tool-missing`, `tool-failed`, `tool-timed-out`, or the reason of an abort. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { maxStdoutBytes = 16 << 20, okExitCodes = [0], graceMs = 5000 } = options;
  await using child = await startProcess(program, args, options);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  child.stdout.on('data', (chunk: Uint8Array) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= maxStdoutBytes) chunks.push(chunk);
    else void child.stop();
  });
  const closed = new Promise<void>((resolve) => child.stdout.once('close', resolve));
  const end = await child.ended;
  // A process that it left behind may hold the pipe open for ever.
  const timer = setTimeout(() => child.stdout.destroy(), graceMs);
  await closed;
  clearTimeout(timer);
  if (sizeBytes > maxStdoutBytes) {
    throw toolFailed({ tool: child.tool, how: `it printed more than ${maxStdoutBytes} bytes`, said: '' });
  }
  await child.completed(okExitCodes);
  return { stdout: Buffer.concat(chunks), stderrTail: end.stderrTail, exitCode: end.exitCode ?? 0 };
}
