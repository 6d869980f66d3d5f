"""How well the work is done: what is looked at and by which card, what people said of it, and what checks found."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Account
from agents.models.people import Agent
from agents.models.talk import Interaction, Note
from dunning.models import Notice

_OF_EACH = ("interaction", "note", "notice")
#: Condition on a row: it is about one piece of work and no more.
_ONE_PIECE = Q(*(Q(**{f"{other}__isnull": other != one for other in _OF_EACH}) for one in _OF_EACH), _connector=Q.OR)


class Subject(models.TextChoices):
    """What is looked at: a conversation, an agent's note, a text sent to a customer."""

    CALL = "call", "Calls"
    NOTE = "note", "Notes"
    NOTICE = "notice", "Texts sent"


class Severity(models.TextChoices):
    """How much it matters, the least first."""

    NOTE = "note", "Note"
    WARN = "warn", "Warning"
    BREACH = "breach", "Breach"


class ScoreCard(models.Model):
    """What a piece of work is judged by. A card in use never changes: editing it makes the next version."""

    code = models.SlugField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=120)
    subject = models.CharField(max_length=6, choices=Subject)
    pass_mark = models.PositiveSmallIntegerField(
        default=80, validators=[MaxValueValidator(100)], help_text="Percent; less is not passed"
    )
    #: The version that new reviews are judged by.
    active = models.BooleanField(default=True)
    changed_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="score_card_version"),
            models.UniqueConstraint(fields=["code"], condition=Q(active=True), name="score_card_in_use_once"),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"


class Criterion(models.Model):
    """One question of a card. Its code stays through the versions, so that answers can be followed over time."""

    class Answers(models.TextChoices):
        YES_NO = "yes_no", "Yes or no"
        SCALE = "scale", "0 to 4"

    card = models.ForeignKey(ScoreCard, on_delete=models.CASCADE, related_name="criteria")
    code = models.SlugField(max_length=40)
    position = models.PositiveIntegerField(default=100)
    section = models.CharField(max_length=80, blank=True, default="")
    text = models.CharField(max_length=200)
    help = models.CharField(max_length=400, blank=True, default="", help_text="What is a yes, and what is not")
    weight = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(100)])
    answers = models.CharField(max_length=6, choices=Answers, default=Answers.YES_NO)
    critical = models.BooleanField(default=False, help_text="A No, or a 0, fails the whole")

    class Meta:
        verbose_name_plural = "criteria"
        constraints = [models.UniqueConstraint(fields=["card", "code"], name="criterion_once_a_card")]

    def __str__(self) -> str:
        return self.text


class SamplingRule(models.Model):
    """Which work is reviewed: what it must be like, and how much of that, drawn at random at the close of a day."""

    code = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=120)
    subject = models.CharField(max_length=6, choices=Subject)
    #: As ``agents.quality_sampling`` reads them; empty: all work of the subject.
    conditions = models.JSONField(default=dict, blank=True)
    #: Exactly one of these two: of what matches, so much; or so many for each agent in a week.
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Percent of what matches, at random",
    )
    per_agent_week = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Or: so many for each agent in a calendar week, at random"
    )
    card = models.ForeignKey(ScoreCard, on_delete=models.PROTECT, related_name="rules")
    due_days = models.PositiveSmallIntegerField(default=5, help_text="Calendar days until the review is due")
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=True, per_agent_week__isnull=False)
                | Q(percent__isnull=False, per_agent_week__isnull=True),
                name="sampling_rule_one_share",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Piece(models.Model):
    """About exactly one piece of work."""

    interaction = models.ForeignKey(
        Interaction, null=True, blank=True, on_delete=models.CASCADE, related_name="%(class)ss"
    )
    note = models.ForeignKey(Note, null=True, blank=True, on_delete=models.CASCADE, related_name="%(class)ss")
    notice = models.ForeignKey(Notice, null=True, blank=True, on_delete=models.CASCADE, related_name="%(class)ss")

    class Meta:
        abstract = True
        constraints = [models.CheckConstraint(condition=_ONE_PIECE, name="%(class)s_one_piece")]

    @property
    def subject(self) -> Subject:
        """What it is about."""
        if self.interaction_id is not None:
            return Subject.CALL
        return Subject.NOTE if self.note_id is not None else Subject.NOTICE

    @property
    def piece_id(self) -> int:
        """The key of the piece of work among its kind."""
        return self.interaction_id or self.note_id or self.notice_id or 0


class CalibrationRound(Piece):
    """Several people review the same piece, none seeing the others'; closed, it shows where they differ."""

    title = models.CharField(max_length=120)
    card = models.ForeignKey(ScoreCard, on_delete=models.PROTECT, related_name="calibrations")
    opened_by = models.CharField(max_length=80)
    opened_at = models.DateTimeField()
    closes_on = models.DateField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=80, blank=True, default="")

    class Meta(Piece.Meta):
        abstract = False
        indexes = [models.Index(fields=["closes_on"], condition=Q(closed_at__isnull=True), name="calibration_open")]

    def __str__(self) -> str:
        return self.title


class Review(Piece):
    """One look at one piece of work: drawn, done by somebody else than whose work it is, answered by the card."""

    class State(models.TextChoices):
        WAITING = "waiting", "To do"
        DOING = "doing", "Begun"
        DONE = "done", "Done"
        SET_ASIDE = "set_aside", "Set aside"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="reviews")
    card = models.ForeignKey(ScoreCard, on_delete=models.PROTECT, related_name="reviews")
    #: By which rule it was drawn; null: somebody asked for it.
    rule = models.ForeignKey(SamplingRule, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviews")
    #: Whose work it is; null: a text that the desk sent by itself.
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviews")
    drawn_on = models.DateField()
    due_on = models.DateField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    reviewer = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviews_done")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    #: Percent of what could be reached; null: nothing of the card applied.
    score = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    passed = models.BooleanField(null=True, blank=True)
    #: Something critical was missing.
    critical = models.BooleanField(default=False)
    #: For the agent: what to keep, what to change. Of one set aside: why.
    summary = models.TextField(blank=True, default="")
    calibration = models.ForeignKey(
        CalibrationRound, null=True, blank=True, on_delete=models.CASCADE, related_name="reviews"
    )

    class Meta(Piece.Meta):
        abstract = False
        constraints = [
            *Piece.Meta.constraints,
            models.UniqueConstraint(
                fields=["interaction"], condition=Q(calibration__isnull=True), name="review_of_a_call_once"
            ),
            models.UniqueConstraint(
                fields=["note"], condition=Q(calibration__isnull=True), name="review_of_a_note_once"
            ),
            models.UniqueConstraint(
                fields=["notice"], condition=Q(calibration__isnull=True), name="review_of_a_notice_once"
            ),
            models.UniqueConstraint(
                fields=["calibration", "reviewer"],
                condition=Q(calibration__isnull=False),
                name="review_once_a_reviewer",
            ),
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(state__in=["waiting", "doing"]), name="review_to_do"),
            models.Index(fields=["agent", "-reviewed_at"], condition=Q(state="done"), name="review_of_agent"),
            models.Index(fields=["reviewed_at"], condition=Q(state="done"), name="review_done"),
            models.Index(fields=["rule", "drawn_on"], condition=Q(rule__isnull=False), name="review_by_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.piece_id} {self.state}"


class Answer(models.Model):
    """What the reviewer answered to one question."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="answers")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="given")
    #: 0 or 1 of a yes or no, 0 to 4 of a scale; null: it did not apply.
    value = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(4)])
    comment = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "criterion"], name="answer_once"),
            models.CheckConstraint(condition=Q(value__isnull=True) | Q(value__lte=4), name="answer_of_four"),
        ]

    def __str__(self) -> str:
        return f"{self.criterion_id}: {'not applicable' if self.value is None else self.value}"


class Coaching(models.Model):
    """A word from a supervisor to an agent about their work, seen and answered by them."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="coached")
    review = models.ForeignKey(Review, null=True, blank=True, on_delete=models.SET_NULL, related_name="coaching")
    written_by = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL, related_name="coaches")
    written_at = models.DateTimeField()
    text = models.TextField()
    #: What it should get better at.
    goal = models.ForeignKey(Criterion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, default="")
    answered_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        verbose_name_plural = "coaching"
        indexes = [
            models.Index(fields=["agent", "-written_at"], name="coaching_agent"),
            models.Index(fields=["agent"], condition=Q(answered_at__isnull=True, closed_at__isnull=True),
                         name="coaching_waiting"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.text[:60]


class Finding(Piece):
    """What an automatic check found in a piece of work; a person says whether it is right."""

    class Verdict(models.TextChoices):
        NONE = "", "Nobody looked yet"
        RIGHT = "right", "Right"
        WRONG = "wrong", "Wrong"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="findings")
    #: Whose work it is; null: the desk's own.
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="findings")
    #: Code of a ``WordCheck``, or of a check that is built in.
    check_code = models.SlugField(max_length=60)
    severity = models.CharField(max_length=6, choices=Severity)
    #: The words it is about; they live here, never in the history.
    excerpt = models.CharField(max_length=300, blank=True, default="")
    found_at = models.DateTimeField()
    #: By whom it is about, who need not say anything to it.
    seen_at = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    looked_by = models.CharField(max_length=80, blank=True, default="")
    verdict = models.CharField(max_length=5, choices=Verdict, blank=True, default=Verdict.NONE)

    class Meta(Piece.Meta):
        abstract = False
        constraints = [
            *Piece.Meta.constraints,
            models.UniqueConstraint(
                fields=["interaction", "check_code"],
                condition=Q(interaction__isnull=False),
                name="finding_in_a_call_once",
            ),
            models.UniqueConstraint(
                fields=["note", "check_code"], condition=Q(note__isnull=False), name="finding_in_a_note_once"
            ),
            models.UniqueConstraint(
                fields=["notice", "check_code"], condition=Q(notice__isnull=False), name="finding_in_a_notice_once"
            ),
        ]
        indexes = [
            models.Index(fields=["found_at"], name="finding_found"),
            models.Index(fields=["agent", "found_at"], condition=Q(agent__isnull=False), name="finding_agent"),
            models.Index(fields=["account", "-found_at"], name="finding_account"),
            models.Index(fields=["found_at", "id"], condition=Q(looked_at__isnull=True), name="finding_to_look_at"),
        ]

    def __str__(self) -> str:
        return f"{self.check_code} {self.subject} {self.piece_id}"


class WordCheck(models.Model):
    """Words that do not belong in a note or a text to a customer, and why."""

    class Kind(models.TextChoices):
        NOTE = "note", "Notes"
        NOTICE = "notice", "Texts sent"

    code = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    kinds = ArrayField(models.CharField(max_length=6, choices=Kind), help_text="Where it is looked for")
    #: Empty: whatever the language.
    languages = ArrayField(
        models.CharField(max_length=12), default=list, blank=True, help_text="Such as en, es; empty: every language"
    )
    severity = models.CharField(max_length=6, choices=Severity, default=Severity.WARN)
    why = models.CharField(max_length=300, blank=True, default="", help_text="The rule it comes from")
    words = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, help_text="Whole words or phrases, in any case"
    )
    patterns = ArrayField(
        models.CharField(max_length=200), default=list, blank=True, help_text="Regular expressions, in any case"
    )
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.title
