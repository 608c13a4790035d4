import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished } from 'vitest';
import { lifeboat } from '../cli/lifeboat.ts';
import { until } from '../support/until.ts';

/** Debian's account for what serves the web. */
export const webUser = { uid: 33, gid: 33 } as const;

/** Starts a server until the running test ends, and waits until it answers at `url`. */
export async function serve(
  words: readonly [string, ...string[]],
  options: { readonly env: Record<string, string>; readonly cwd: string; readonly url: string },
): Promise<void> {
  const { env, cwd, url } = options;
  const [program, ...args] = words;
  const server = spawn(program, args, { ...webUser, cwd, env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' });
  const ended = once(server, 'exit');
  onTestFinished(async () => {
    server.kill();
    await ended;
  });
  await until(async () => {
    expect(server.exitCode, `${program} ended`).toBeNull();
    return fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
  });
}

/** A browser with one jar of cookies. */
export function browser(origin: string, jar: string) {
  const curl = (path: string, ...words: string[]) =>
    execFileSync('curl', ['-s', '-b', jar, '-c', jar, ...words, `${origin}${path}`], { encoding: 'utf8' });
  return {
    get: (path: string) => curl(path, '-L'),
    /** What a form answers: its status. */
    post: (path: string, fields: Readonly<Record<string, string>>) =>
      curl(
        path,
        ...['-o', '/dev/null', '-w', '%{http_code}'],
        ...Object.entries(fields).flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]),
      ),
  };
}

/** Runs the command in a folder, and gives what it printed where it ended as it should. */
export async function told(folder: string, words: readonly string[], code = 0): Promise<string> {
  const ran = await lifeboat(folder, words);
  expect(ran.code, `lifeboat ${words.join(' ')}: ${ran.stdout}${ran.stderr}`).toBe(code);
  return ran.stdout;
}

/** The lines of a configuration that say something. */
export const linesOf = (text: string) => text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));

/** What `init` wrote, with another drill and a second destination. */
export function completed(proposed: string, second: string, drill: string): string {
  const head = proposed.slice(0, proposed.indexOf('\ndrill:'));
  return `${head.replace(/^ {2}# second: .*$/m, `  second: { type: local, path: ${second} }`)}\n${drill}`;
}
