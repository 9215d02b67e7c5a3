import { type ReactNode, useState } from 'react';

import { Digest } from '@/components/digest';
import { Icon } from '@/components/icon';
import { Panel } from '@/components/panel';
import { getReceipt } from '@/features/case/api/get-receipt';
import type { Diagnosis } from '@/lib/contract';
import { milliseconds } from '@/lib/format';
import { sameOrigin } from '@/lib/http';
import { asProblem } from '@/lib/use-resource';

type Audit = NonNullable<Diagnosis['audit']>;
type Timings = NonNullable<Diagnosis['timings']>;

/** Which model on which evidence, how long it took, and where the log proves it. */
export function Provenance({ diagnosis }: { diagnosis: Diagnosis }) {
  const { model, case: manifest, audit, timings } = diagnosis;
  return (
    <Panel title="Record" className="provenance">
      <dl className="facts">
        {model ? (
          <Fact term="Model bundle">
            {model.bundle} {model.version} <Digest value={model.digest} label="model digest" />
          </Fact>
        ) : null}
        {manifest ? (
          <Fact term="Case manifest">
            <Digest value={manifest.digest} label="case digest" />
          </Fact>
        ) : null}
        {audit ? (
          <Fact term="Audit log">
            entry {audit.index} <Digest value={audit.leafHash} label="leaf hash" /> <Receipt audit={audit} />
          </Fact>
        ) : (
          <Fact term="Audit log">not recorded yet</Fact>
        )}
        {timings ? (
          <Fact term={`Took ${milliseconds(timings.total)}`}>
            <TimingsLine timings={timings} />
          </Fact>
        ) : null}
      </dl>
    </Panel>
  );
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function TimingsLine({ timings }: { timings: Timings }) {
  const stages = ['queued', 'fetch', 'encode', 'fuse', 'explain'] as const;
  return (
    <span className="small muted">
      {stages.map((stage) => `${stage} ${milliseconds(timings[stage])}`).join(' · ')}
    </span>
  );
}

function Receipt({ audit }: { audit: Audit }) {
  const [problem, setProblem] = useState<string | null>(null);
  async function download() {
    setProblem(null);
    try {
      const path = audit.receipt ? sameOrigin(audit.receipt) : `/audit/entries/${audit.index}/receipt`;
      save(await getReceipt(path), `entry-${audit.index}.tlog-proof`);
    } catch (error) {
      setProblem(asProblem(error).detail);
    }
  }
  return (
    <>
      <button type="button" className="button button-small" onClick={() => void download()}>
        <Icon name="download" size={14} /> Receipt
      </button>
      {problem === null ? null : (
        <span className="field-error small" role="alert">
          {' '}
          {problem}
        </span>
      )}
    </>
  );
}

function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the blob once the click has been handled.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
