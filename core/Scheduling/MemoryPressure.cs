namespace R1Serverless.Scheduling;

/// <summary>What running out of device memory has taught: smaller steps for a while, then carefully larger ones again.</summary>
public sealed class MemoryPressure
{
    /// <summary>Steps that must fit before the limits rise by an eighth.</summary>
    private const int CalmSteps = 64;

    private int _calm;

    /// <summary>Running sequences at most.</summary>
    public int RowLimit { get; private set; } = TokenBudget.MaxRows;

    /// <summary>Prompts of one shared prefill at most.</summary>
    public int GroupLimit { get; private set; } = TokenBudget.MaxRows;

    /// <summary>Nobody new is admitted, and no long prompt goes on, until a row leaves.</summary>
    public bool IsClosed { get; private set; }

    public void LimitRows(int rows) => (RowLimit, _calm) = (rows, 0);

    public void LimitGroup(int prompts) => (GroupLimit, _calm) = (Math.Max(1, prompts), 0);

    public void Close() => IsClosed = true;

    /// <summary>A row has left. Once none is left, everything may be tried again.</summary>
    public void OnLeave(bool isEmpty)
    {
        IsClosed = false;
        if (isEmpty) (RowLimit, GroupLimit) = (TokenBudget.MaxRows, TokenBudget.MaxRows);
    }

    /// <summary>A step did fit.</summary>
    public void Relax()
    {
        if ((RowLimit == TokenBudget.MaxRows && GroupLimit == TokenBudget.MaxRows) || ++_calm < CalmSteps) return;
        RowLimit = Raised(RowLimit);
        GroupLimit = Raised(GroupLimit);
        _calm = 0;
    }

    private static int Raised(int limit) => Math.Min(TokenBudget.MaxRows, limit + Math.Max(1, limit / 8));
}
