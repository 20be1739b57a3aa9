namespace R1Serverless.Models.Templates;

/// <summary>A stretch of a text, in UTF-16 units.</summary>
/// <param name="Start">Its first unit.</param>
/// <param name="End">The unit after its last.</param>
public readonly record struct TextStretch(int Start, int End);

/// <summary>A text that knows which stretches of it come from a user. What is cut from it or joined to it keeps that knowledge. Immutable.</summary>
public sealed class MarkedText
{
    private readonly TextStretch[] _user;

    internal MarkedText(string text, TextStretch[] user) =>
        (Text, _user) = (text, user);

    public static MarkedText Empty { get; } = new("", []);

    public string Text { get; }

    public int Length => Text.Length;

    /// <summary>What a user wrote: in order, apart from each other, none of them empty.</summary>
    public IReadOnlyList<TextStretch> UserStretches => _user;

    public bool HasUserText => _user.Length > 0;

    /// <summary>A text of the model's author.</summary>
    public static MarkedText OfTemplate(string text) => text.Length == 0 ? Empty : new MarkedText(text, []);

    /// <summary>A text of a user.</summary>
    public static MarkedText OfUser(string text) => text.Length == 0 ? Empty : new MarkedText(text, [new TextStretch(0, text.Length)]);

    /// <summary>A text that was made of others in a way that does not tell what came from where: a user's, if anything in it is.</summary>
    public static MarkedText Made(string text, bool fromUser) => fromUser ? OfUser(text) : OfTemplate(text);

    public static MarkedText operator +(MarkedText left, MarkedText right) =>
        left.Length == 0 ? right : right.Length == 0 ? left : new MarkedTextBuilder().Append(left).Append(right).End();

    /// <summary>The part from <paramref name="start"/> up to, without, <paramref name="end"/>.</summary>
    public MarkedText Slice(int start, int end)
    {
        if (start == 0 && end == Text.Length)
            return this;
        if (start >= end)
            return Empty;
        return new MarkedText(Text[start..end], _user.Length == 0 ? [] : Within(start, end));
    }

    /// <summary>The text with every part of it changed alike; where that changes its length, all of it counts as a user's if any was.</summary>
    public MarkedText Map(Func<string, string> change)
    {
        var changed = change(Text);
        return changed.Length == Text.Length ? new MarkedText(changed, _user) : Made(changed, HasUserText);
    }

    /// <summary>The text with the user's stretches and those between each changed by itself; the marks go with them.</summary>
    public MarkedText MapStretches(Func<string, string> change)
    {
        if (_user.Length == 0)
            return OfTemplate(change(Text));
        var changed = new MarkedTextBuilder();
        var at = 0;
        foreach (var (start, end) in _user)
        {
            changed.Append(change(Text[at..start])).Append(OfUser(change(Text[start..end])));
            at = end;
        }

        return changed.Append(change(Text[at..])).End();
    }

    public override string ToString() => Text;

    private TextStretch[] Within(int start, int end) =>
    [
        .. _user.Where(stretch => stretch.Start < end && stretch.End > start)
            .Select(stretch => new TextStretch(Math.Max(stretch.Start, start) - start, Math.Min(stretch.End, end) - start)),
    ];
}
