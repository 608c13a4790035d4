import { type AppConfig, restoredVariable } from '../../config/system.ts';
import { variablesOf } from '../../core/template.ts';
import { engineOf } from '../../sources/engines.ts';
import type { Drill } from './parts.ts';

/**
 * From the moment the application starts nobody else opens the restored databases. @returns what to say of those that it never opened:
 * answers that came from elsewhere prove nothing of them
 */
export async function watchOpening(app: AppConfig, { copies }: Drill): Promise<() => Promise<string[]>> {
  const watches = (
    await Promise.all(
      [...copies.values()].map(async (copy) => {
        const wasOpened = await engineOf(copy.kind).watchOpening?.(copy);
        return wasOpened === undefined ? [] : [{ copy, wasOpened }];
      }),
    )
  ).flat();
  const named = new Set(Object.values(app.env).flatMap(({ shown }) => variablesOf(shown)));
  return async () => {
    const seen = await Promise.all(watches.map(async ({ copy, wasOpened }) => ({ copy, opened: await wasOpened() })));
    const none = seen.every(({ opened }) => opened === false);
    return seen.flatMap(({ copy: { dataset }, opened }) => {
      if (opened !== false || !(none || named.has(restoredVariable(dataset)))) return [];
      return [
        `The application never opened the restored ${dataset}: its answers came from elsewhere. It is given it as ${restoredVariable(dataset)}.`,
      ];
    });
  };
}
