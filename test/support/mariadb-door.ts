import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Mariadb } from './mariadb.ts';

/**
 * Hears of a statement before the server does, `nth` from 1 since it was set. `die` is what the server sees of a guest that is killed: all
 * its sessions are gone in the midst, and it says nothing more.
 */
export type Guard = (sql: string, nth: number) => Word | Promise<Word>;

type Word = 'pass' | 'die';

/** Stands before the socket of a server. */
export interface MariadbDoor extends AsyncDisposable {
  urlOf(database: string, user?: string): string;
  /** For the guests that come from now on. */
  guard(guard: Guard): void;
}

const queryCommand = 3;

export async function openDoor(server: Mariadb): Promise<MariadbDoor> {
  const at = join(dirname(server.socket), 'door');
  const guests = new Set<Socket>();
  let inside = new Set<Socket>();
  let current: Guard = () => 'pass';
  let count = { nth: 0 };

  const door = createServer((guest) => {
    const [guard, counter, companions] = [current, count, inside];
    const host = connect(server.socket);
    guests.add(guest);
    companions.add(host);
    const leave = () => {
      // Whoever was killed hears of nothing.
      if (!dead) guest.destroy();
    };
    let dead = false;
    for (const socket of [guest, host]) socket.on('error', () => {});
    host.on('close', leave);
    guest.on('close', () => host.destroy());
    host.pipe(guest, { end: false });
    let held = Buffer.alloc(0);
    let before = Promise.resolve();
    guest.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      for (let end = endOf(held); end !== undefined; end = endOf(held)) {
        const packet = held.subarray(0, end);
        held = held.subarray(end);
        before = before.then(async () => {
          if (dead) return;
          const isStatement = packet[3] === 0 && packet[4] === queryCommand;
          const word = isStatement ? await guard(packet.toString('utf8', 5), ++counter.nth) : 'pass';
          if (word === 'pass') host.write(packet);
          else {
            dead = true;
            for (const one of companions) one.destroy();
          }
        });
      }
    });
  });
  door.listen(at);
  await once(door, 'listening');
  return {
    urlOf: (database, user) =>
      server.urlOf(database, user).replace(encodeURIComponent(server.socket), encodeURIComponent(at)),
    guard(guard) {
      current = guard;
      count = { nth: 0 };
      inside = new Set();
    },
    async [Symbol.asyncDispose]() {
      for (const guest of guests) guest.destroy();
      door.close();
      await once(door, 'close');
    },
  };
}

/** Three bytes of length, one of number. */
function endOf(held: Buffer): number | undefined {
  if (held.length < 4) return undefined;
  const end = 4 + held.readUIntLE(0, 3);
  return held.length < end ? undefined : end;
}
