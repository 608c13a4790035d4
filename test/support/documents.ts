import { jobs } from '../../src/jobs/registry.ts';

/** The job that a command line is for; undefined for commands that are none, and for answers that are streams. */
function jobOf(args: readonly string[]): string | undefined {
  const [first = '', second = ''] = args.filter((word) => !word.startsWith('-'));
  if (args.includes('--files')) return undefined;
  if (first === 'accept' && args.includes('--withdraw')) return 'withdraw';
  if (first === 'drill' && args.includes('--sabotage')) return 'sabotage';
  if (first === 'evidence' && second === 'verify') return 'audit-verify';
  return [`${first}-${second}`, first].find((name) => name in jobs);
}

/** Throws where a command's answer has another shape than its job says, a key more or less. */
export async function expectDocument(args: readonly string[], stdout: string): Promise<void> {
  const name = jobOf(args);
  if (name === undefined || !args.includes('--json') || stdout === '') return;
  const answer: unknown = JSON.parse(stdout);
  if (typeof answer === 'object' && answer !== null && 'error' in answer) return;
  const { document } = await jobs[name]!();
  const read = document.safeParse(answer);
  if (!read.success) throw new Error(`${args.join(' ')} --json is no document of ${name}: ${read.error.message}`);
}
