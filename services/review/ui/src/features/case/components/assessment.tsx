import { IntervalBar } from '@/components/interval-bar';
import { Panel } from '@/components/panel';
import type { Diagnosis, OrdinalRisk, RankedDiagnosis, Risk } from '@/lib/contract';
import { percent, percentInterval } from '@/lib/format';

/** The ranked diagnoses with their intervals and the prediction set, then how sure all this is. */
export function Assessment({ diagnosis }: { diagnosis: Diagnosis }) {
  const ranked = diagnosis.diagnoses ?? [];
  const set = diagnosis.predictionSet ?? null;
  const members = new Set(set?.codes ?? []);
  return (
    <Panel
      title="Assessment"
      className={diagnosis.abstained ? 'panel-muted' : ''}
      aside={set === null ? null : <span className="small muted">prediction set at {percent(set.coverage)}</span>}
    >
      {ranked.length === 0 ? (
        <p className="muted">No probabilities were computed.</p>
      ) : (
        <ol className="ranking">
          {ranked.map((item) => (
            <Ranked key={item.code.code} item={item} member={members.has(item.code.code)} />
          ))}
        </ol>
      )}
      <Frequency first={ranked[0]} />
      {set === null ? null : (
        <p className="small muted set-note">
          <span className="set-mark" aria-hidden="true" /> In the prediction set: {members.size} of {ranked.length}{' '}
          {ranked.length === 1 ? 'diagnosis' : 'diagnoses'}. {promiseOf(set)}
        </p>
      )}
      <Sureness diagnosis={diagnosis} />
      <Severity risk={diagnosis.risks?.severity} />
    </Panel>
  );
}

const PROMISES: Record<string, string> = {
  'pattern x class': 'of cases of each diagnosis with this kind of evidence',
  pattern: 'of cases with this kind of evidence',
  marginal: 'of all cases',
};

/** What the coverage of the set holds for, in words. */
export function promiseOf(set: { coverage: number; guarantee: string }): string {
  const cases = PROMISES[set.guarantee];
  if (cases !== undefined) return `Such sets hold the true one in ${percent(set.coverage)} ${cases}.`;
  return `Its coverage of ${percent(set.coverage)} is not guaranteed here (${set.guarantee}).`;
}

function Ranked({ item, member }: { item: RankedDiagnosis; member: boolean }) {
  return (
    <li className={member ? 'in-set' : 'out-of-set'}>
      <span className="ranked-name">
        {item.code.display}
        {member ? <span className="visually-hidden"> (in the prediction set)</span> : null}
      </span>
      <IntervalBar probability={item.probability} interval={item.interval} label={item.code.display} strong={member} />
      <span className="ranked-number">{percent(item.probability)}</span>
      <span className="ranked-interval muted small">{percentInterval(item.interval)}</span>
    </li>
  );
}

/** What became of calibration cases that were answered alike; nothing where the bundle does not say. */
function Frequency({ first }: { first: RankedDiagnosis | undefined }) {
  if (!first?.vennAbers) return null;
  return (
    <p className="small muted set-note">
      Where calibration cases were given {percent(first.probability)} for {first.code.display}, it was true of {percentInterval(first.vennAbers)}.
    </p>
  );
}

function Sureness({ diagnosis }: { diagnosis: Diagnosis }) {
  const { uncertainty, risks } = diagnosis;
  const deterioration = eventOf(risks?.deterioration24h);
  if (deterioration === undefined && !uncertainty) return null;
  return (
    <div className="sureness">
      {deterioration === undefined ? null : (
        <div className="tile">
          <h3>Deterioration within 24 h</h3>
          <p className="tile-number">
            {percent(deterioration.probability)} <span className="muted small">{percentInterval(deterioration.interval)}</span>
          </p>
          <IntervalBar probability={deterioration.probability} interval={deterioration.interval} label="Deterioration within 24 h" />
        </div>
      )}
      {uncertainty ? (
        <div className="tile">
          <h3>Uncertainty</h3>
          <p className="tile-number">
            {uncertainty.total.toFixed(2)} <span className="muted small">nats</span>
          </p>
          <UncertaintyBar aleatoric={uncertainty.aleatoric} epistemic={uncertainty.epistemic} most={mostOf(diagnosis)} />
          <p className="small muted">
            <span className="key key-aleatoric" /> case itself {uncertainty.aleatoric.toFixed(2)}{' '}
            <span className="key key-epistemic" /> model {uncertainty.epistemic.toFixed(2)}
          </p>
        </div>
      ) : null}
    </div>
  );
}

function eventOf(risk: Risk | OrdinalRisk | undefined): Risk | undefined {
  return risk !== undefined && 'probability' in risk ? risk : undefined;
}

/** How severe the illness is, in one line; nothing where the bundle does not say. */
function Severity({ risk }: { risk: Risk | OrdinalRisk | undefined }) {
  if (risk === undefined || !('levels' in risk)) return null;
  const levels = risk.levels.map((level) => `${level.code.display.toLowerCase()} ${percent(level.probability)}`);
  return <p className="small muted">Severity of the illness: {levels.join(', ')}</p>;
}

/** The entropy of knowing nothing, so that the bar has a meaningful end. */
function mostOf(diagnosis: Diagnosis): number {
  return Math.log(Math.max(diagnosis.diagnoses?.length ?? 2, 2));
}

function UncertaintyBar({ aleatoric, epistemic, most }: { aleatoric: number; epistemic: number; most: number }) {
  return (
    <div className="stacked" aria-hidden="true" title={`Knowing nothing would be ${most.toFixed(2)} nats`}>
      <span className="stacked-aleatoric" style={{ width: `${(aleatoric / most) * 100}%` }} />
      <span className="stacked-epistemic" style={{ width: `${(epistemic / most) * 100}%` }} />
    </div>
  );
}
