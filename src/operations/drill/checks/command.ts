import type { CommandCheck } from '../../../config/system.ts';
import { roughDuration } from '../../../core/duration.ts';
import { applicationCell, bareEnvironment, lastLines } from '../application.ts';
import type { Drill, Finding } from '../parts.ts';

/** Passes when the command exits with 0, inside the sandbox. */
export async function checkCommand(check: CommandCheck, drill: Drill, signal: AbortSignal): Promise<Finding> {
  const expected = 'exit code 0';
  const agent = await applicationCell(drill);
  const order = {
    name: `command ${check.id}`,
    words: ['/bin/sh', '-c', check.run],
    env: await bareEnvironment(drill),
    directory: check.directory,
    timeoutMs: check.timeoutMs,
  };
  const ended = await agent.call('run', order, { signal, timeoutMs: check.timeoutMs + 15_000 });
  const said = lastLines(ended.tail, drill.secrets);
  if (ended.timedOut) {
    const message = `It had not ended after ${roughDuration(check.timeoutMs)}. It said: ${said}`;
    return { verdict: 'fail', looked: 1, expected, actual: 'no end', message };
  }
  const actual = ended.exitCode === null ? `signal ${ended.signal}` : `exit code ${ended.exitCode}`;
  if (ended.exitCode === 0) return { verdict: 'pass', looked: 1, expected, actual, message: said || 'It ended well.' };
  return { verdict: 'fail', looked: 1, expected, actual, message: `It ended with ${actual}. It said: ${said}` };
}
