namespace R1Serverless.Storage.Files;

/// <summary>Faults of the file system in the words of a transport.</summary>
public static class StoreFault
{
    public static bool Is(Exception fault) => fault is IOException or UnauthorizedAccessException;

    public static TransportException Of(string name, Exception fault) =>
        new($"The object '{name}' can't be read or written: {fault.Message}", fault, fault is UnauthorizedAccessException);

    public static T Guard<T>(string name, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception fault) when (Is(fault))
        {
            throw Of(name, fault);
        }
    }
}
