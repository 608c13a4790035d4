import { link, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentenceOf } from '../core/errors.ts';
import type { Agent } from '../sandbox/agent-client.ts';
import { sandboxFailed } from '../sandbox/errors.ts';
import type { User } from '../sandbox/protocol.ts';

interface Starting {
  readonly agent: Agent;
  /** As the agent knows it. */
  readonly process: string;
  /** For people: `PostgreSQL`. */
  readonly title: string;
  /** Asks it for something; throws while it does not answer. */
  readonly ask: () => Promise<void>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Waits for a server that was started in a cell. @throws `sandbox-failed`, with its last words, when it ended or took too long */
export async function untilAnswers({ agent, process, title, ask, timeoutMs, signal }: Starting): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      const { running, tail } = await agent.call('look', { name: process }, { signal });
      if (!running || performance.now() > deadline) {
        const said = tail.trim().split('\n').slice(-3).join(' · ') || sentenceOf(error) || 'no answer';
        throw sandboxFailed({ doing: `start a ${title} server`, why: said });
      }
      await sleep(30, undefined, { signal });
    }
  }
}

/**
 * Further names of a server's socket, where nothing of its cell can put another socket, or a link to one of this host's. Made
 * before anything restored runs there.
 */
export async function linkSocket(made: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await link(made, name).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Servers do not run as root: the first of the users that this host has, and else nobody. Undefined where we are not root ourselves. */
export async function unprivilegedUser(wish: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === wish) ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}
