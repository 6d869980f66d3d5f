"""Words that do not belong in notes or in texts to customers, by language; how far they were looked for."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NOTE, NOTICE = "note", "notice"
BOTH = (NOTE, NOTICE)

# What is built in: code, title, where, severity, why. Without words of their own; a row switches one on.
BUILT_IN = (
    ("card-number", "A card number", BOTH, "breach", "PCI DSS 3.3 and 3.4: none is kept, none is sent"),
    (
        "health-detail",
        "An illness in a note",
        (NOTE,),
        "warn",
        "GDPR Art. 9; DPDP Act 2023, s. 4 to 6: the need is noted, never the illness",
    ),
    ("shouting", "Words in capitals", (NOTICE,), "warn", "15 U.S.C. 1692d: nothing that harasses or oppresses"),
    ("exclamation-marks", "Many exclamation marks", (NOTICE,), "note", "A calm text is read, a loud one is not"),
    (
        "long-sentence",
        "A very long sentence",
        (NOTICE,),
        "note",
        "More than 35 words; FCA Consumer Duty, PRIN 2A.5: customers understand what they get",
    ),
    (
        "hard-to-read",
        "Hard to read",
        (NOTICE,),
        "note",
        "Below 50 by Flesch 1948 (en), Amstad 1978 (de), Fernández Huerta 1959 (es); other languages have no formula",
    ),
    (
        "no-amount",
        "Asks for money without saying how much",
        (NOTICE,),
        "warn",
        "15 U.S.C. 1692e(2)(A), 12 CFR 1006.18(b): the amount, and the true one",
    ),
    (
        "firm-to-vulnerable",
        "Firm words to a customer in need of support",
        (NOTICE,),
        "breach",
        "FCA FG21/1 and Consumer Duty; Ofcom, treating vulnerable customers fairly",
    ),
    (
        "harsh-after-kept",
        "A threat days after a promise was kept",
        (NOTICE,),
        "warn",
        "15 U.S.C. 1692e(10): what is said must hold; who keeps a promise is not warned like who breaks one",
    ),
)

# What the words of each topic are about: title, where, severity, why.
TOPICS = {
    "arrest": (
        "Arrest, prison or police",
        BOTH,
        "breach",
        "A debt is no crime: 15 U.S.C. 1692e(4), (5) and (7); 12 CFR 1006.18",
    ),
    "seizure": (
        "Wages, home or goods taken",
        BOTH,
        "breach",
        "Only a court can: 15 U.S.C. 1692e(4) and (5); 12 CFR 1006.18; UWG § 4a",
    ),
    "visit": (
        "Coming to their door, or telling others",
        BOTH,
        "breach",
        "15 U.S.C. 1692d and 1692c(b); 12 CFR 1006.14 and 1006.6(d); UWG § 4a",
    ),
    "credit": (
        "Their credit as a threat",
        BOTH,
        "warn",
        "True only where it is reported: 15 U.S.C. 1692e(8) and (10); BGH I ZR 157/13; LO 3/2018 art. 20",
    ),
    "court": (
        "As if a court or a lawyer wrote",
        (NOTICE,),
        "breach",
        "15 U.S.C. 1692e(1), (3), (9) and (13); 12 CFR 1006.18",
    ),
    "urgency": (
        "Pressure of time that is not true",
        (NOTICE,),
        "warn",
        "15 U.S.C. 1692e(10); Directive 2005/29/EC Art. 8 and 9; the date to pay by says enough",
    ),
    "insult": (
        "An insult",
        BOTH,
        "breach",
        "15 U.S.C. 1692d(2); 12 CFR 1006.14(d); customers may read every note (GDPR Art. 15)",
    ),
    "contempt": (
        "Contempt for the customer",
        (NOTE,),
        "warn",
        "Say what was said and agreed; customers may read every note (GDPR Art. 15)",
    ),
    "special": (
        "Faith, origin, love, politics or a conviction",
        (NOTE,),
        "warn",
        "GDPR Art. 9 and 10; DPDP Act 2023, s. 4 to 6: not needed for the debt, so not kept",
    ),
    "third-party": (
        "The debt told to somebody else",
        (NOTE,),
        "warn",
        "15 U.S.C. 1692c(b); 12 CFR 1006.6(d); GDPR Art. 5(1)(f): unless they speak for the customer",
    ),
}

# Words by topic and language (none: the same in several), apart by a comma; a star stands for any ending, accents count for nothing.
WORDS = {
    "arrest": {
        "en": "be arrested, get arrested, have you arrested, have him arrested, have her arrested, arrest warrant, "
        "warrant for your arrest, go to jail, go to prison, going to jail, going to prison, sent to jail, "
        "sent to prison, put in jail, end up in jail, police will come, send the police, police to your, "
        "report you to the police, criminal charges, press charges, committed a crime, committed fraud",
        "de": "verhaften, verhaftet, verhaftung, haftbefehl, ins gefängnis, im gefängnis landen, in den knast, "
        "polizei holen, polizei schicken, schicken die polizei, polizei kommt, strafanzeige*, machen sich strafbar, "
        "strafbar gemacht",
        "es": "ser arrestado, ser arrestada, será arrestado, será arrestada, será detenido, será detenida, "
        "orden de arresto, orden de detención, ir a la cárcel, irá a la cárcel, irá a prisión, llamar a la policía, "
        "enviar a la policía, llamaremos a la policía, denuncia penal, ha cometido un delito",
        "hi": "गिरफ्तार, गिरफ्तारी, जेल जाना, जेल जाओगे, जेल जाएंगे, जेल भेज*, जेल होगी, जेल हो जाएगी, पुलिस भेज*, "
        "पुलिस बुला*, पुलिस आएगी, पुलिस केस, थाने में, jail jaoge, jail bhej*, police bhej*",
    },
    "seizure": {
        "en": "garnish*, seize your, seize his, seize her, take your house, take your home, take your car, "
        "take his house, take her house, lose your home, lose your house, freeze your bank account, "
        "deducted from your wages, take it from your wages, from your salary, bailiffs will, send bailiffs, "
        "send the bailiffs",
        "de": "lohnpfändung*, gehaltspfändung*, kontopfändung*, konto pfänden, lohn pfänden, gehalt pfänden, pfänden, "
        "gerichtsvollzieher kommt, gerichtsvollzieher schicken, schicken den gerichtsvollzieher, wohnung verlieren, "
        "haus verlieren",
        "es": "embargar*, embargo de, le embarg*, quitarle la casa, perder su casa, perderá su casa, "
        "descontar de su nómina, descontar de su sueldo, bloquear su cuenta bancaria",
        "hi": "वेतन काट*, वेतन से काट*, तनख्वाह से काट*, संपत्ति जब्त, घर जब्त, सामान जब्त, जब्त कर*, कुर्की, "
        "बैंक खाता बंद",
    },
    "visit": {
        "en": "come to your home, come to your house, come to your work*, come to your door, come to his house, "
        "come to her house, coming to your house, coming to your home, visit you at home, visit you at work, "
        "know where you live, tell your employer, tell your boss, contact your employer, call your employer, "
        "inform your employer, tell your family, tell your neighbo*, contact your family, call your family, "
        "call your relatives, make it public, post it online",
        "de": "kommen zu ihnen nach hause, zu ihnen nach hause kommen, kommen bei ihnen vorbei, "
        "bei ihnen vorbeikommen, stehen vor ihrer tür, wissen wo sie wohnen, arbeitgeber informieren, "
        "arbeitgeber anrufen, ihrem arbeitgeber mitteilen, nachbarn erzählen, nachbarn informieren, "
        "familie erzählen, familie informieren",
        "es": "iremos a su casa, ir a su casa, iremos a su trabajo, presentaremos en su casa, sabemos dónde vive, "
        "avisar a su jefe, avisaremos a su jefe, avisar a su empresa, llamaremos a su empresa, contar a sus vecinos, "
        "avisar a sus vecinos, informar a su familia, llamaremos a su familia",
        "hi": "घर आएंगे, घर पर आएंगे, घर आ जाएंगे, घर भेजेंगे, दफ्तर आएंगे, ऑफिस आएंगे, पता है कहाँ रहते, "
        "पड़ोसियों को बता*, परिवार को बता*, परिवार वालों को बता*, मालिक को बता*, बॉस को बता*, रिश्तेदारों को बता*",
    },
    "credit": {
        "en": "ruin your credit, destroy your credit, ruin his credit, ruin her credit, hurt your credit, "
        "damage your credit, affect your credit, your credit score will, your credit rating will, never get a loan, "
        "never get a mortgage, no bank will, blacklist*",
        "de": "schufaeintrag*, schufa eintrag*, der schufa melden, an die schufa, schufa meldung, bonität ruinieren, "
        "bonität leidet, keinen kredit mehr, schwarze liste",
        "es": "arruinar su crédito, arruinará su crédito, fichero de morosos, ficheros de morosos, lista de morosos, "
        "asnef, lista negra, nunca le darán un préstamo, ningún banco le",
        "hi": "सिबिल खराब, क्रेडिट स्कोर खराब, क्रेडिट खराब, लोन नहीं मिलेगा, कभी लोन नहीं, काली सूची, ब्लैकलिस्ट, "
        "cibil kharab",
    },
    "court": {
        "en": "court summons, summons to court, subpoena, our attorney*, our lawyer*, our law firm, law office of, "
        "lawsuit has been filed, legal proceedings have begun, judgment has been entered, on behalf of the court, "
        "government agency, officer of the court",
        "de": "gerichtliche vorladung, vorladung, unsere anwälte haben, unser anwalt hat, klage wurde eingereicht, "
        "im namen des gerichts, im auftrag des gerichts, vollstreckungsbescheid",
        "es": "citación judicial, nuestros abogados han, nuestro abogado ha, demanda ha sido presentada, "
        "en nombre del juzgado, por orden judicial, orden judicial",
        "hi": "अदालत का समन, कोर्ट का समन, कोर्ट नोटिस, हमारे वकील ने, मुकदमा दायर, अदालत की ओर से",
    },
    "urgency": {
        "en": "last chance, final chance, act now, immediate action, immediately, at once, within 24 hours, "
        "within 48 hours, urgent, urgently, or else, last warning, final warning, time is running out, "
        "do not ignore, before it is too late",
        "de": "letzte chance, letzte warnung, umgehend, unverzüglich, sofort, binnen 24 stunden, "
        "innerhalb von 24 stunden, innerhalb von 48 stunden, dringend, handeln sie jetzt, jetzt handeln, "
        "bevor es zu spät ist",
        "es": "última oportunidad, última advertencia, inmediatamente, de inmediato, urgente, urgentemente, "
        "en 24 horas, en 48 horas, actúe ya, actúe ahora, antes de que sea tarde, no ignore",
        "hi": "आखिरी मौका, अंतिम मौका, अंतिम चेतावनी, आखिरी चेतावनी, तुरंत, फौरन, तत्काल, 24 घंटे, 48 घंटे, "
        "वरना, नहीं तो अंजाम",
    },
    "insult": {
        "": "idiot*, imbecil*",
        "en": "liar, liars, lying bastard, stupid, moron*, loser*, deadbeat*, scum, scumbag*, "
        "crook, crooks, scammer*, con artist, bastard*, bitch*, asshole*, arsehole*, dickhead*, wanker*, fuck*, shit*, "
        "psycho, nutcase, lunatic, retarded, pathetic, disgusting, freeloader*, lazy, "
        "waste of space, trailer trash",
        "de": "lügner, lügnerin, dumm, dumme, dummer, dummkopf, blöd, blöde, blöder, trottel*, depp, deppen, "
        "faulpelz*, stinkfaul, asozial*, assi, schmarotzer*, arschloch, arschlöcher, scheiß*, penner*, spinner*, "
        "gauner*, abschaum, gesindel, verrückt, verrückte, verrückter",
        "es": "mentiroso, mentirosa, mentirosos, estúpid*, tonto, tonta, vago, vaga, sinvergüenza*, "
        "ladrón, ladrona, ladrones, estafador*, mierda*, gilipollas, cabrón, cabrona, hijo de puta, pendej*, "
        "payaso, caradura, escoria",
        "hi": "झूठा, झूठी, झूठे, बेवकूफ, मूर्ख, गधा, गधे, गधी, पागल, चोर, नालायक, कमीना, कमीनी, कमीने, हरामी, हरामखोर, "
        "बेशर्म, निकम्मा, निकम्मी, धोखेबाज, साला, साले, jhootha, jhoota, bewakoof, pagal, chor, harami, kamina, "
        "nalayak, besharam",
    },
    "contempt": {
        "en": "waste of time, wasting my time, playing games, plays games, sob story, making excuses, "
        "full of excuses, same old story, same old excuse*, usual excuse*, lame excuse*, yeah right, these people, "
        "those people, people like that, will never pay anyway",
        "de": "zeitverschwendung, immer dieselbe ausrede, immer die gleiche ausrede, faule ausrede*, "
        "die übliche ausrede, die üblichen ausreden, märchenstunde, lachhaft, solche leute, diese leute, "
        "zahlt sowieso nie",
        "es": "pérdida de tiempo, siempre la misma excusa, las excusas de siempre, el cuento de siempre, "
        "nos toma el pelo, me toma el pelo, esta gente, este tipo de gente, no va a pagar nunca",
        "hi": "समय की बर्बादी, वही बहाना, वही पुराना बहाना, बहाने बना*, नाटक कर*, ड्रामा कर*, ऐसे लोग, इन लोगों का",
    },
    "special": {
        "": "muslim*, hindu, sikh, gay, lesbian*, homosexual*, bisexual*, transgender",
        "en": "jewish, jehovah*, immigrant*, foreigner*, gypsy, gypsies, "
        "transsexual, union member, trade union, party member, criminal record, "
        "convicted of, on probation, on parole, ex-convict*, in prison",
        "de": "moslem*, jüdisch*, zeugen jehovas, zeuge jehovas, ausländer*, asylbewerber*, flüchtling*, "
        "zigeuner*, schwul*, lesbisch*, lesbe, homosexuell*, bisexuell*, transsexuell*, gewerkschaft*, "
        "parteimitglied*, vorbestraft*, vorstrafe*, sitzt im gefängnis",
        "es": "musulmán*, musulmana*, judío, judía, gitano, gitana, gitanos, inmigrante*, extranjero, extranjera, "
        "transexual*, sindicalista*, afiliado al sindicato, "
        "afiliado al partido, antecedentes penales, está en prisión, testigo de jehová, testigos de jehová",
        "hi": "मुसलमान, मुस्लिम, हिंदू, हिन्दू, ईसाई, सिख, दलित, ब्राह्मण, आदिवासी, जाति, समलैंगिक, किन्नर, "
        "आपराधिक रिकॉर्ड, सजायाफ्ता, जेल में है",
    },
}  # fmt: skip

PATTERNS = {
    "third-party": {
        "en": (
            r"\b(?:told|informed) (?:his|her|their|the) (?:wife|husband|partner|mother|father|mum|mom|dad|son|"
            r"daughter|neighbou?r|boss|employer)\b[^.]{0,60}\b(?:debt|owes?|balance|arrears)",
            r"\b(?:discussed|shared)\b[^.]{0,40}\b(?:debt|balance|arrears|bill)\b[^.]{0,30}\bwith (?:his|her|their|a|"
            r"the) (?:wife|husband|partner|mother|father|son|neighbou?r|boss|colleague)\b",
        ),
        "de": (
            r"\b(?:seiner|ihrer|der|seinem|ihrem|dem) (?:frau|ehefrau|mutter|tochter|mann|ehemann|vater|sohn|nachbarn?|"
            r"nachbarin|chef|arbeitgeber)\b[^.]{0,60}\b(?:schuld|forderung|rückst|betrag|rechnung)",
        ),
        "es": (
            r"\b(?:dije|conté|informé|expliqué|comenté) a (?:su|la|el) (?:esposa|esposo|mujer|marido|pareja|madre|padre|"
            r"hij[oa]|vecin[oa]|jef[ea])\b[^.]{0,60}\b(?:deuda|debe|saldo|factura)",
        ),
        "hi": (
            r"(?:पत्नी|पति|माँ|मां|पिता|बेटे|बेटी|भाई|पड़ोसी|बॉस|मालिक) (?:को|से)[^।.]{0,60}(?:कर्ज|कर्ज़|बकाया|उधार)"
            r"[^।.]{0,40}(?:बता|कह)",
        ),
    }
}


def add_checks(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    WordCheck: Any = apps.get_model("agents", "WordCheck")
    rows = [
        WordCheck(code=code, title=title, kinds=list(where), severity=severity, why=why)
        for code, title, where, severity, why in BUILT_IN
    ]
    for topic, (title, where, severity, why) in TOPICS.items():
        words, patterns = WORDS.get(topic, {}), PATTERNS.get(topic, {})
        rows += [
            WordCheck(
                code=f"{topic}-{language}" if language else f"{topic}-any",
                title=f"{title} ({language})" if language else title,
                kinds=list(where),
                languages=[language] if language else [],
                severity=severity,
                why=why,
                words=[word.strip() for word in words.get(language, "").split(",") if word.strip()],
                patterns=list(patterns.get(language, ())),
            )
            for language in {**words, **patterns}
        ]
    WordCheck.objects.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0021_late_facts_and_what_is_kept"),
        ("dunning", "0012_confirmations_and_re_entry"),
    ]

    operations = [
        migrations.CreateModel(
            name="CheckedUntil",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.BigIntegerField()),
                ("moved_at", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "checked until"},
        ),
        migrations.CreateModel(
            name="CheckedText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("copies", models.PositiveIntegerField(default=1)),
                ("first_sent_at", models.DateTimeField()),
                ("last_sent_at", models.DateTimeField()),
                ("judged_by", models.CharField(max_length=64)),
                (
                    "notice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="checked_text", to="dunning.notice"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="finding",
            name="seen_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(add_checks, migrations.RunPython.noop),
    ]
