import { Icon, type IconName } from '@/components/icon';
import { showPanel } from '@/components/panel';
import { panelId } from '@/features/case/lib/evidence';
import { qualityOf } from '@/features/case/lib/quality';
import { type Diagnosis, MODALITIES, type Modality, type ModalityOut, type ModalityStatus } from '@/lib/contract';
import { MODALITY_NAMES } from '@/lib/format';

const WORDS: Record<ModalityStatus, string> = {
  used: 'Used',
  missing: 'None on record',
  'no-consent': 'Not read: no consent',
  rejected: 'Rejected',
};
const ICONS: Record<Modality, IconName> = { image: 'image', note: 'note', vitals: 'vitals' };

/** Which kinds of evidence were considered, and how familiar each was to the model. */
export function ModalityStrip({ diagnosis }: { diagnosis: Diagnosis }) {
  return (
    <ul className="strip" aria-label="Evidence considered">
      {MODALITIES.map((modality) => {
        const found = diagnosis.modalities?.[modality];
        return found === undefined ? null : <Item key={modality} modality={modality} found={found} />;
      })}
    </ul>
  );
}

function Item({ modality, found }: { modality: Modality; found: ModalityOut }) {
  return (
    <li className={`strip-item strip-${found.status}`}>
      <Icon name={found.status === 'no-consent' ? 'lock' : ICONS[modality]} size={20} />
      <div>
        <button type="button" className="link" onClick={() => showPanel(panelId(modality))}>
          {MODALITY_NAMES[modality]}
        </button>
        <p className="small">
          {WORDS[found.status]}
          <span className="muted">{qualityOf(found.quality ?? {})}</span>
          {found.quality?.stale === true ? <span className="strip-mind"> · old</span> : null}
        </p>
      </div>
      {found.ood ? <Familiarity score={found.ood.score} flagged={found.ood.flagged} /> : null}
    </li>
  );
}

function Familiarity({ score, flagged }: { score: number; flagged: boolean }) {
  const text = flagged ? 'Unlike the training data' : 'Like the training data';
  return (
    <div className={`familiarity ${flagged ? 'familiarity-flagged' : ''}`} title={`Out-of-distribution score ${score.toFixed(3)}; 1 is unlike anything seen in training`}>
      <span className="small">
        {flagged ? <Icon name="warning" size={13} /> : null} {text}
      </span>
      <meter className="visually-hidden" min={0} max={1} value={score}>
        {score.toFixed(3)}
      </meter>
      <span className="familiarity-track" aria-hidden="true">
        <span style={{ left: `${Math.min(Math.max(score, 0), 1) * 100}%` }} />
      </span>
    </div>
  );
}

