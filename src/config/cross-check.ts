import { configurationDataset } from '../core/configuration-dataset.ts';
import { requiredVariables } from '../core/references.ts';
import { kindsThat } from '../sources/engines.ts';
import type { ConfigDocument } from './document.ts';
import type { Mistake } from './errors.ts';
import { nearest } from './explain.ts';
import type { ConfigShape } from './schema.ts';
import { restoredVariable } from './system.ts';

/** What no schema can say: checks that name datasets of the right kind, variables that a drill will have. */
export function crossCheck(shape: ConfigShape, document: ConfigDocument): Mistake[] {
  const { datasets, drill } = shape;
  const asked = kindsThat(({ query }) => query !== undefined);
  const ofFiles = kindsThat(({ holds }) => holds === 'files');
  const known = new Set(Object.keys(datasets).map(restoredVariable));
  const mistakes: Mistake[] = [];
  if (Object.hasOwn(datasets, configurationDataset)) {
    const what = `'${configurationDataset}' is what Lifeboat calls its own copy of this file`;
    mistakes.push(document.atKey(['datasets', configurationDataset], what, 'Give the dataset another name.'));
  }

  const wantDataset = (path: readonly (string | number)[], name: string, kinds: readonly string[]) => {
    const dataset = datasets[name];
    if (!dataset) {
      const near = nearest(name, Object.keys(datasets));
      const hint = near ? `Did you mean '${near}'?` : `There are: ${Object.keys(datasets).join(', ')}.`;
      mistakes.push(document.at(path, `there is no dataset '${name}'`, hint));
    } else if (!kinds.includes(dataset.type)) {
      mistakes.push(
        document.at(path, `dataset '${name}' is of type ${dataset.type}; this needs ${kinds.join(' or ')}`),
      );
    }
  };
  const wantRestored = (path: readonly (string | number)[], text: string) => {
    for (const variable of requiredVariables(text)) {
      if (!variable.startsWith('RESTORED_') || known.has(variable)) continue;
      const hint = `There are: ${[...known].join(', ')}.`;
      mistakes.push(document.at(path, `\${${variable}} stands for no dataset`, hint));
    }
  };

  const app = drill.app;
  if (app) {
    wantRestored(['drill', 'app', 'ready'], app.ready);
    for (const [name, value] of Object.entries(app.env)) wantRestored(['drill', 'app', 'env', name], value);
  }
  for (const [id, check] of Object.entries(drill.checks)) {
    const at = ['drill', 'checks', id];
    if (check.type === 'sql' || check.type === 'freshness') wantDataset([...at, 'dataset'], check.dataset, asked);
    if (check.type === 'references') {
      wantDataset([...at, 'from', 'dataset'], check.from.dataset, asked);
      wantDataset([...at, 'in'], check.in, ofFiles);
    }
    if (check.type === 'http' && !app) {
      mistakes.push(
        document.at(
          [...at, 'type'],
          'an http check needs the application',
          'Say how to start it: drill.app.start and drill.app.ready.',
        ),
      );
    }
  }
  for (const what of Object.keys(drill.skip)) {
    if (Object.hasOwn(datasets, what) || Object.hasOwn(drill.checks, what)) continue;
    const all = [...Object.keys(datasets), ...Object.keys(drill.checks)];
    const near = nearest(what, all);
    mistakes.push(
      document.atKey(
        ['drill', 'skip', what],
        `'${what}' is neither a dataset nor a check`,
        near && `Did you mean '${near}'?`,
      ),
    );
  }
  return mistakes;
}
