import { readFileSync } from 'node:fs';

// bin/lifeboat and bin/node set these for this process; what this one starts has its own ways.
delete process.env.NODE_COMPILE_CACHE;
delete process.env.MALLOC_MMAP_THRESHOLD_;

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks the work to stop and clean up; the second does not wait for that.
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
  });
}
// A write beyond `ulimit -f` then fails like any other; otherwise it would end the process in the middle of its work.
process.on('SIGXFSZ', () => {});
/**
 * Who reads what is said does not decide over the work: what nobody takes any more is dropped. Only an answer that could not be
 * written is a failure, unless its reader went away, such as `head`.
 */
const unwritten: { answer?: NodeJS.ErrnoException } = {};
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') unwritten.answer ??= error;
});
process.stderr.on('error', () => {});

const { runProgram } = await import('./cli/program.ts');
const exit = await runProgram(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruption.signal,
  version: version(),
});
// A handle that someone forgot to close must not keep the process; what was written must still reach a pipe.
// What went wrong with the last of it is told one turn later.
process.stdout.write('', () => setImmediate(() => void end()));

async function end(): Promise<void> {
  if (unwritten.answer === undefined) return void process.stderr.write('', () => process.exit(exit));
  const { answerLost } = await import('./cli/failure.ts');
  const { exit: lost, text } = answerLost(unwritten.answer);
  process.stderr.write(text, () => process.exit(lost));
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
