namespace R1Serverless.Queues;

/// <summary>The two request queues. A worker takes interactive work first and keeps a share for bulk work, so that neither starves.</summary>
public enum WorkClass
{
    /// <summary>Somebody waits for the answer.</summary>
    Interactive,

    /// <summary>Nobody waits: lines of batches, and jobs that producers drop.</summary>
    Bulk,
}

/// <summary>Work classes as metrics, logs and command lines write them.</summary>
public static class WorkClassName
{
    public static string Of(WorkClass workClass) => workClass == WorkClass.Interactive ? "interactive" : "bulk";
}
