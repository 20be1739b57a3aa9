namespace R1Serverless.Serving;

/// <summary>What one process of the executable does.</summary>
internal enum ServeRole
{
    /// <summary>Everything: interactive requests go straight to the local engine, durable work through the queue.</summary>
    All,

    /// <summary>Takes requests and puts them into the queue; loads no model.</summary>
    Gateway,

    /// <summary>Processes the queue with its models; its own port answers too.</summary>
    Worker,
}

/// <summary>Roles as command lines and answers write them.</summary>
internal static class RoleName
{
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<ServeRole>().Select(Of)];

    public static string Of(ServeRole role) => role.ToString().ToLowerInvariant();

    public static ServeRole Parse(string name) => Enum.Parse<ServeRole>(name, ignoreCase: true);
}
